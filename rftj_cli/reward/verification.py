"""What a verification says, as values, and the answers that follow from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from rftj_cli import __version__
from rftj_cli.cloud import FunctionArn
from rftj_cli.errors import listed
from rftj_cli.files.runs import Run
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.reward.bundle import Bundle, differences
from rftj_cli.reward.conformance import Found
from rftj_cli.reward.forecast import NO_LATENCY, Forecast, Job
from rftj_cli.reward.known import Verified
from rftj_cli.reward.parity import Parity, Recorded
from rftj_cli.reward.repeats import Repeated
from rftj_cli.reward.spending import Spending
from rftj_cli.running.changes import rubric_changes

SCHEMA: Final = "rftj.verification/1"
NO_TIMES: Final = "the function failed: what it needs of its own is not known"
MOST: Final = 8  # faults of events that are told
Answer = Literal["yes", "no", "not shown"]


@dataclass(frozen=True, slots=True)
class Question:
    """What to verify. `live` samples are judged by the real judge, `repeats` times each; `known` is a regression set;
    `zip` the bundle that a deployed function should be; `judge_latency` seconds, where the run does not tell it;
    `max_cost` US dollars that the real judge may cost, at `prices`."""

    job: Job = field(default_factory=Job)
    live: int = 0
    repeats: int = 3
    known: Path | None = None
    zip: Path | None = None
    judge_latency: float | None = None
    seed: int = 0
    max_cost: float | None = None
    prices: Path | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One question, its answer, and what it rests on. Where it is not `needed`, it does not decide."""

    name: str
    answer: Answer
    text: str
    details: tuple[str, ...] = ()
    needed: bool = True


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of initialisation and of own work a row (recorded replies), MB of memory, as this machine has them."""

    init: float
    row: float
    memory: int


@dataclass(frozen=True, slots=True)
class Verification:
    """Everything that was found. `exit_code`: 0 PASS, 1 FAIL, 3 not all of it could be shown."""

    target: str
    bundle: Bundle | None
    run: Run
    findings: tuple[Finding, ...]
    conformance: tuple[Found, ...]
    parity: Parity | None = None
    repeat: Repeated | None = None
    known: tuple[Verified, ...] = ()
    timing: Timing | None = None
    forecast: Forecast | None = None
    notes: tuple[str, ...] = ()
    spending: Spending | None = None
    decision: str = ""
    exit_code: int = 0


def decided(found: Verification) -> Verification:
    """With the decision that the findings make."""
    answers = [one.answer for one in found.findings if one.needed]
    decision, code = ("FAIL", 1) if "no" in answers else ("NOT SHOWN", 3) if "not shown" in answers else ("PASS", 0)
    return replace(found, decision=decision, exit_code=code)


def contents(bundle: Bundle | None, members: dict[str, bytes], run: Run, rubric: Rubric) -> Finding:
    """Whether the zip is what this rftj packs, for the judge that the run measured."""
    if bundle is None:
        return Finding("contents", "no", "no bundle.json: `rftj reward build` did not make this zip")
    if bundle.judge_fingerprint != rubric.judge_fingerprint or bundle.reward_fingerprint != rubric.reward_fingerprint:
        return Finding("contents", "no", "its fingerprints are not those of the rubric in it")
    changed = differences(bundle, members)
    if changed:
        by = "" if bundle.rftj == __version__ else f" (it was built by rftj {bundle.rftj})"
        text = f"{_are(len(changed), 'of its files')} not what rftj {__version__} packs{by}: build it again"
        return Finding("contents", "no", text, changed[:10])
    if rubric.judge_fingerprint != run.rubric.judge_fingerprint:
        return Finding("contents", "no", "the run was judged by another judge: what it shows does not hold for this one",
                       rubric_changes(run.rubric, rubric))  # fmt: skip
    return Finding("contents", "yes", f"byte for byte what rftj {__version__} packs for this rubric and these settings")


def nothing(given: Recorded, run: Run, rubric: Rubric) -> str:
    """Why no sample of a run can be compared."""
    if given.left_out and rubric.judge_fingerprint != run.rubric.judge_fingerprint:
        changes = "; ".join(rubric_changes(run.rubric, rubric))
        return f"it was judged by another judge than the bundle's ({changes}): judge the samples with this rubric first"
    return "; ".join(f"{count} samples: {reason}" for reason, count in given.left_out.items()) or "it is empty"


def code_of(about: Mapping[str, object], path: Path | None, bundle: Bundle | None) -> Finding:
    """Whether the code that AWS runs is a bundle that was verified here."""
    if path is None or bundle is None:
        text = "which code AWS runs was not compared: --zip FILE names the bundle that it should be"
        return Finding("deployed code", "not shown", text)
    if about.get("CodeSha256") == bundle.sha256:
        return Finding("deployed code", "yes", f"AWS runs {path}, byte for byte (CodeSha256)")
    return Finding("deployed code", "no", f"AWS runs other code than {path}", (
        f"CodeSha256 in AWS {about.get('CodeSha256')}", f"of the bundle {bundle.sha256}"))  # fmt: skip


def pinning(arn: FunctionArn) -> list[str]:
    """A word on an ARN that can come to mean other code while training goes on."""
    if arn.pinned:
        return []
    what = "no published version" if arn.qualifier in (None, "$LATEST") else f"the alias {arn.qualifier}"
    return [f"the ARN names {what}: its code can change during training; name a version (arn:...:function:NAME:7)"]


def notes_of(bundle: Bundle | None, run: Run, rubric: Rubric) -> list[str]:
    """What the user should know of the two."""
    notes = []
    if bundle is not None and rubric.reward_fingerprint != run.rubric.reward_fingerprint:
        notes.append(
            "the bundle makes rewards by another rule than the run: " + "; ".join(rubric_changes(run.rubric, rubric))
        )
    if run.manifest.status != "complete":
        notes.append(f"the run is {run.manifest.status}: only what it holds was compared")
    return notes


def of_parity(found: Parity) -> Finding:
    """Whether the rewards are equal."""
    details = tuple(f"{one.id}: measured {one.measured!r}, got {one.found!r}" for one in found.different[:5])
    left = "".join(f"; {count:,} left out: {why}" for why, count in found.left_out.items())
    if found.errors:
        return Finding(
            "parity",
            "no",
            f"the function failed in {len(found.errors)} {'invocation' if len(found.errors) == 1 else 'invocations'}{left}",
            found.errors[:3],
        )
    if found.equal < found.compared:
        return Finding(
            "parity", "no", f"{found.compared - found.equal:,} of {found.compared:,} rewards differ{left}", details
        )
    return Finding("parity", "yes", f"all {found.compared:,} rewards equal those of the run, to the last bit{left}")


def of_conformance(found: Sequence[Found]) -> Finding:
    """Whether every event is answered as it must be."""
    broken = [one for one in found if one.faults]
    if broken:
        text = f"{_are(len(broken), f'of {len(found)} events')} answered wrongly"
        return Finding("conformance", "no", text, _by_fault(broken))
    return Finding("conformance", "yes", f"all {len(found)} events: every shape, every bad row")


def _by_fault(broken: Sequence[Found]) -> tuple[str, ...]:
    """Each fault once, with the events that show it."""
    events: dict[str, list[str]] = {}
    for one in broken:
        events.setdefault(one.faults[0], []).append(f"{one.case.group} `{one.case.name}`")
    lines = [f"{fault} ({listed(names, 3)})" for fault, names in events.items()]
    return (*lines[:MOST], *([f"... and other faults ({len(lines)} in all): --json"] if len(lines) > MOST else []))


def _are(count: int, of: str) -> str:
    return f"{count:,} {of} {'is' if count == 1 else 'are'}"


def unanswered(why: str, rows: int) -> list[Finding]:
    """What is known of a function that did not answer its first invocation in time."""
    text = f"the function did not answer an invocation of {rows:,} {'row' if rows == 1 else 'rows'} in time"
    return [
        Finding("parity", "no", text, (f"{why}: give it more time (--timeout), or fewer rows (--batch)",)),
        Finding("conformance", "not shown", "not tried: the function did not answer"),
        Finding("deterministic", "not shown", "not tried: the function did not answer"),
    ]


def of_determinism(answers: Sequence[bytes], times: int) -> Finding:
    """Whether the same event and replies gave the same bytes each time."""
    if not answers:
        return Finding("deterministic", "not shown", "the function failed each time")
    if len(answers) < times:
        return Finding("deterministic", "no", f"the same event failed in {times - len(answers)} of {times} invocations")
    if len(set(answers)) > 1:
        return Finding("deterministic", "no", "the same event and replies gave another answer")
    return Finding("deterministic", "yes", "the same event gave the same bytes three times")


def of_known(found: Sequence[Verified], question: Question) -> list[Finding]:
    """Whether the regression set holds; nothing where there is none."""
    if question.known is None:
        return []
    judged = [one for one in found if one.found is not None]
    wrong = [f"{one.id}: {one.found:g}, not in {one.low:g} to {one.high:g}" for one in judged if not one.holds]
    if wrong:
        return [Finding("known", "no", f"{len(wrong)} of {len(judged)} known answers got another reward", tuple(wrong))]
    if len(judged) < len(found):
        text = (
            f"{len(found) - len(judged)} of {len(found)} have no recorded reply: `rftj score` them beside the run first"
        )
        return [Finding("known", "not shown", text)]
    return [Finding("known", "yes", f"all {len(found)} known answers got a reward within their bounds")]


def of_repeat(found: Repeated | None) -> list[Finding]:
    """How far the judge repeats itself."""
    if found is None:
        return [
            Finding(
                "judge repeats",
                "not shown",
                "the judge's own noise was not measured: --live N asks it again",
                needed=False,
            )
        ]
    if found.faults:
        return [Finding("judge repeats", "no", found.faults[0], found.faults[1:4])]
    return [Finding("judge repeats", "yes", found.text, needed=False)]


def of_forecast(found: Forecast | None, why: str = NO_LATENCY) -> Finding:
    """Whether invocations end in time."""
    if found is None:
        return Finding("forecast", "not shown", why, needed=False)
    late = found.over_timeout > 0.01
    text = (
        f"{found.over_timeout:.0%} of invocations would not end in time"
        if late
        else "invocations end within the timeout"
    )
    return Finding("forecast", "no" if late else "yes", text, found.obstacles if late else ())
