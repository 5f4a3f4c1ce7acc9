"""Texts written for these tests, and how many tokens they are to two tokenizers.

Counted with o200k_base of rs-bpe 0.1.0, and with the DeepSeek V3 tokenizer of litellm 1.109.1 (tokenizers 0.23.3).
"""

from __future__ import annotations

from typing import Final

# kind: (text, tokens of o200k, tokens of DeepSeek V3, percent by which an estimate may miss the first)
TEXTS: Final[dict[str, tuple[str, int, int, int]]] = {
    "English prose": (
        """The harbour had been quiet since the ferry stopped running in the autumn. Marta walked along the sea wall every morning before work, counting the boats that nobody had yet pulled out of the water. "You could buy one," her brother told her, "and spend the rest of your life painting it." She laughed, but the idea stayed with her through the winter, and when the ice broke in March she knew exactly which of them she wanted. It was not the prettiest, and its engine had not been started for years; what she liked was its name, which somebody had lettered on the stern by hand, slightly crooked, in a blue that no longer existed anywhere else in the town.""",
        140,
        140,
        10,
    ),
    "contract": (
        """7.2 Limitation of Liability. Except for Excluded Claims, neither party's aggregate liability arising out of or in connection with this Agreement, whether in contract, tort (including negligence) or otherwise, shall exceed the greater of (i) the fees paid or payable by the Customer in the twelve (12) months preceding the event giving rise to the claim and (ii) EUR 250,000. "Excluded Claims" means claims under Section 5 (Confidentiality), Section 6.3 (Indemnification) and wilful misconduct.
7.3 Notice. The party asserting a claim shall notify the other party in writing within thirty (30) Business Days of becoming aware of the facts on which the claim is based; claims notified later are time-barred, save where mandatory law provides otherwise.""",
        164,
        165,
        10,
    ),
    "JSON": (
        """{"id": "case-0417", "customer": {"name": "Northwind Traders", "tier": "gold", "since": "2019-03-11"}, "items": [{"sku": "A-1180", "quantity": 3, "price": 24.90, "discount": null}, {"sku": "B-0072", "quantity": 1, "price": 139.00, "discount": 0.15}], "shipping": {"method": "express", "tracked": true, "address": {"street": "12 Mill Lane", "city": "Leeds", "postcode": "LS1 4AP"}}, "notes": "Leave with the neighbour if nobody is at home.", "totals": {"net": 193.15, "tax": 38.63, "gross": 231.78}}""",
        184,
        194,
        10,
    ),
    "Markdown": (
        """# Running the nightly export

The export reads the *orders* table and writes one file per region. It needs about **four minutes**.

## Before you start

1. Check that the replica is up to date: `make replica-lag` must print less than 30 s.
2. Set `EXPORT_BUCKET` and `EXPORT_PREFIX`.
3. Read the [runbook](https://example.org/runbooks/export) if the last run failed.

| region | rows | size |
|---|---|---|
| north | 182,400 | 61 MB |
| south | 97,015 | 33 MB |

> A file is never overwritten: a second run on the same day gets the suffix `-2`.
""",
        152,
        155,
        10,
    ),
    "Python": (
        """import logging
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)


@dataclass
class RateWindow:
    \"\"\"Counts events in a sliding window of so many seconds.\"\"\"

    seconds: float = 60.0
    events: list[float] = field(default_factory=list)

    def add(self, now: float) -> int:
        self.events = [one for one in self.events if now - one < self.seconds]
        self.events.append(now)
        if len(self.events) > 1_000:
            logger.warning("%d events within %.0f seconds", len(self.events), self.seconds)
        return len(self.events)


def test_old_events_are_forgotten() -> None:
    window = RateWindow(seconds=10)
    assert [window.add(t) for t in (0, 5, 9, 11, 30)] == [1, 2, 3, 3, 1]
""",
        199,
        220,
        10,
    ),
    "numbers": (
        """date,open,high,low,close,volume
2026-03-02,101.25,103.80,100.95,103.10,1284500
2026-03-03,103.15,103.95,101.60,101.72,990210
2026-03-04,101.70,102.44,99.85,100.02,1530977
2026-03-05,100.10,101.05,98.40,98.91,1720043
2026-03-06,98.95,100.60,98.70,100.47,1104388
2026-03-09,100.50,104.20,100.45,104.05,2011764""",
        172,
        172,
        10,
    ),
    "German": (
        """Die Gemeinde hat beschlossen, die alte Schule am Marktplatz nicht abzureißen, sondern zu einem Kulturzentrum umzubauen. Im Erdgeschoss sollen eine Bücherei und ein kleines Café entstehen, im ersten Stock Räume für Vereine, Musikunterricht und Sprachkurse. Die Kosten werden auf etwa 3,4 Millionen Euro geschätzt; ein Drittel davon übernimmt voraussichtlich das Land. Viele Anwohner begrüßen die Entscheidung, manche befürchten jedoch, dass während der zweijährigen Bauzeit zu wenige Parkplätze übrig bleiben.""",
        110,
        133,
        20,
    ),
    "French": (
        """Le conseil municipal a décidé de ne pas démolir l'ancienne école de la place du Marché, mais de la transformer en centre culturel. Au rez-de-chaussée, on prévoit une bibliothèque et un petit café ; au premier étage, des salles pour les associations, l'enseignement de la musique et les cours de langue. Le coût est estimé à environ 3,4 millions d'euros, dont un tiers serait pris en charge par la région. Beaucoup de riverains s'en réjouissent, d'autres craignent de manquer de places de stationnement pendant les deux années de travaux.""",
        121,
        137,
        20,
    ),
    "Russian": (
        """Городской совет решил не сносить старую школу на рыночной площади, а перестроить её в культурный центр. На первом этаже появятся библиотека и небольшое кафе, на втором — помещения для кружков, уроков музыки и языковых курсов. Стоимость работ оценивается примерно в 3,4 миллиона евро, треть этой суммы, как ожидается, возьмёт на себя область. Многие жители приветствуют это решение, однако некоторые опасаются, что за два года строительства не хватит мест для стоянки.""",
        117,
        132,
        20,
    ),
    "Chinese": (
        """市议会决定不拆除集市广场上的旧校舍，而是把它改建成文化中心。一楼将设图书馆和一间小咖啡馆，二楼则作为社团活动、音乐课和语言课程的教室。工程费用预计约为340万欧元，其中三分之一可能由省政府承担。许多居民欢迎这一决定，但也有人担心，在为期两年的施工期间停车位会不够用。""",
        101,
        77,
        20,
    ),
    "Japanese": (
        """市議会は、市場広場にある古い校舎を取り壊さず、文化センターに改築することを決めた。一階には図書館と小さな喫茶店、二階にはサークル活動や音楽教室、語学講座のための部屋が設けられる予定である。費用はおよそ340万ユーロと見積もられ、その三分の一は県が負担する見込みだ。多くの住民は歓迎しているが、二年間の工事のあいだ駐車場が足りなくなるのではないかと心配する声もある。""",
        153,
        133,
        20,
    ),
    "Korean": (
        """시의회는 시장 광장에 있는 옛 학교를 철거하지 않고 문화 센터로 개조하기로 결정했다. 1층에는 도서관과 작은 카페가 들어서고, 2층에는 동호회와 음악 수업, 어학 강좌를 위한 공간이 마련될 예정이다. 비용은 약 340만 유로로 추산되며 그중 3분의 1은 도에서 부담할 것으로 보인다. 많은 주민이 이 결정을 반기지만, 2년의 공사 기간 동안 주차 공간이 부족할 것이라고 걱정하는 사람도 있다.""",
        132,
        148,
        20,
    ),
    "Arabic": (
        """قرر المجلس البلدي عدم هدم المدرسة القديمة في ساحة السوق، بل تحويلها إلى مركز ثقافي. ستضم في الطابق الأرضي مكتبة ومقهى صغيرًا، وفي الطابق الأول غرفًا للجمعيات ودروس الموسيقى ودورات اللغة. وتقدر التكاليف بنحو 3.4 مليون يورو، ومن المتوقع أن تتحمل المقاطعة ثلثها. يرحب كثير من السكان بهذا القرار، لكن بعضهم يخشى ألا تكفي مواقف السيارات خلال عامين من أعمال البناء.""",
        109,
        133,
        20,
    ),
    "Hindi": (
        """नगर परिषद ने बाज़ार चौक के पुराने स्कूल को गिराने के बजाय उसे एक सांस्कृतिक केंद्र में बदलने का निर्णय लिया है। भूतल पर एक पुस्तकालय और एक छोटा कैफ़े होगा, पहली मंज़िल पर संगीत की कक्षाओं और भाषा पाठ्यक्रमों के लिए कमरे बनेंगे। लागत लगभग 34 लाख यूरो आँकी गई है, जिसका एक तिहाई हिस्सा राज्य दे सकता है। बहुत से निवासी इस फ़ैसले का स्वागत करते हैं, पर कुछ को डर है कि दो साल के निर्माण के दौरान पार्किंग कम पड़ जाएगी।""",
        122,
        232,
        20,
    ),
    "emoji": (
        """Great work, team! 🎉 The release is out 🚀 and the first reports look good 👍. Two things to watch: ⚠️ memory on the small machines, and ❌ the old login page. If you see anything odd, write it here 📝. Cake in the kitchen at four 🎂😀""",
        64,
        69,
        20,
    ),
    "white space": (
        "Name                Qty        Price\nscrews               40            3.20\nhinges                6           14.95\nbrackets             12            9.60\npaint, white          2           31.00\n\n\n\n        Total                      58.75\n",
        60,
        54,
        35,
    ),
}
