"""Numbers and times in words, the same in every report."""

from __future__ import annotations

from collections.abc import Mapping

from rftj_cli.errors import counted
from rftj_cli.files.ledger import Look
from rftj_cli.running.flips import Flip
from rftj_cli.stats.estimate import LEVEL, Estimate
from rftj_cli.stats.estimate import percent as of_level


def number(value: float | None, digits: int = 2) -> str:
    """`.61`, `-.02`, `1.00`; a dash for what could not be computed."""
    if value is None:
        return "-"
    text = f"{value:.{digits}f}"
    if text.lstrip("-").strip("0.") == "":
        text = text.lstrip("-")
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def exact(value: float) -> str:
    """A number to act on, with every digit that it has: `.50`, `.335`."""
    return number(value, max(2, len(f"{value:.16f}".rstrip("0").partition(".")[2])))


def interval(estimate: Estimate, digits: int = 2) -> str:
    """`.61 [.48, .72]`, or the value alone where there is no interval."""
    if estimate.value is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return number(estimate.value, digits)
    return f"{number(estimate.value, digits)} [{number(estimate.low, digits)}, {number(estimate.high, digits)}]"


def percent(share: float | None) -> str:
    """`16%`; below 1% one more digit."""
    if share is None:
        return "-"
    return f"{share:.1%}" if 0 < share < 0.01 or 0.99 < share < 1 else f"{share:.0%}"


def money(dollars: float | None) -> str:
    """`$0.12`, four digits below a cent, `unknown` where the price is."""
    if dollars is None:
        return "unknown"
    return "$0" if dollars == 0 else f"${dollars:.4f}" if dollars < 0.01 else f"${dollars:,.2f}"


def duration(seconds: float | None) -> str:
    """`0.3 s`, `42 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds is None:
        return "?"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def failures_of(stages: Mapping[str, int]) -> str:
    """`2 failures (2 unparsed), 8 skipped`: what was settled without the judge is no failure of his."""
    failed = {stage: n for stage, n in stages.items() if stage not in ("verdict", "skipped") and n}
    named = ", ".join(f"{n:,} {stage}" for stage, n in sorted(failed.items()))
    skipped = f", {stages['skipped']:,} skipped" if stages.get("skipped") else ""
    return counted(sum(failed.values()), "failure") + (f" ({named})" if named else "") + skipped


def ordinal(number: int) -> str:
    """`first`, `second`, `third`, `4th`."""
    few = ("first", "second", "third")
    if number <= len(few):
        return few[number - 1]
    return f"{number}{'th' if 10 < number % 100 < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def look_in_words(look: Look, level: float) -> str:
    """Which judge this is to meet the test samples, and what that costs."""
    known = "" if look.recorded else "; not written to the ledger (--frozen)"
    place = ordinal(look.number)
    return (
        f"{place} judge to meet these test samples: intervals are {of_level(level)} instead of {of_level(LEVEL)}{known}"
    )


def flip_in_words(flip: Flip) -> str:
    """`grounding: pass -> fail`, `grounding (c2): pass -> (unparsed)`; a failure stands in brackets."""
    item = "" if flip.item is None else f" ({flip.item})"
    name = "" if flip.criterion is None else f"{flip.criterion}{item}: "
    before, after = (
        level or ("(no rating)" if stage is None else f"({stage})")
        for level, stage in ((flip.before, flip.before_failure), (flip.after, flip.after_failure))
    )
    return f"{name}{before} -> {after}"


def cut(text: str, width: int) -> str:
    """Text on one line, cut to `width` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: max(0, width - 1)].rstrip() + "…"


def plain(text: str) -> str:
    """Text of a sample made safe for a terminal: control characters (escape sequences) become visible."""
    return "".join(c if c.isprintable() or c == "\n" else " " if c.isspace() else "�" for c in text)
