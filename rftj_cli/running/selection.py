"""Which samples to judge, where not all are wanted: by split, by what came out in other runs, and a random part of these.

file --split--> --only (ids)--> --sample N--> the same file with its chosen ids, and a `Selection` that says how

The random part is the N samples with the smallest hashes of seed and id: it hangs neither on the order of the file nor
on what other samples it holds, and a larger N holds a smaller one.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from rftj_cli.errors import InputError, nearest
from rftj_cli.files.runs import Run, Selection, open_run
from rftj_cli.files.samples import SampleFile
from rftj_cli.kernel.asks import names_used
from rftj_cli.kernel.outcome import Failure, Outcome, Verdict
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.sample import SPLITS, Sample
from rftj_cli.running.flips import compare
from rftj_cli.running.preflight import place

Only = Literal["failing", "failures", "flipped"]
MOST_RUNS: Final = {"failing": 1, "failures": 1, "flipped": 2}
WATCHED: Final = ("dev", 20)  # the split and the most samples that `--watch` judges unless told otherwise


@dataclass(frozen=True, slots=True)
class Choice:
    """What the command line says of the samples to judge, as it was given."""

    only: Only | None = None
    runs: tuple[str, ...] = ()
    split: str | None = None
    sample: int | None = None
    seed: int = 0

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self.only is None and self.split is None and self.sample is None

    def for_watching(self) -> Choice:
        """The same, with a split and a number where neither is given."""
        if self.split is not None or self.sample is not None:
            return self
        return replace(self, split=WATCHED[0], sample=WATCHED[1])


@dataclass(frozen=True, slots=True)
class Part:
    """The samples to judge. `selection` None: all of the file; `notes` tell of chosen samples that the file lacks."""

    samples: SampleFile
    selection: Selection | None
    notes: tuple[str, ...] = ()

    @property
    def by_outcome(self) -> bool:
        """Whether the samples were chosen by what came out: agreement on them says nothing of others."""
        return self.selection is not None and self.selection.only is not None

    @property
    def empty(self) -> bool:
        """Whether nothing is left to judge."""
        return self.selection is not None and not self.selection.chosen


def opened(choice: Choice) -> tuple[Run, ...]:
    """The runs of `--from`. Raises `InputError` for options that do not belong together."""
    if choice.split is not None and choice.split not in SPLITS:
        hint = nearest(choice.split, SPLITS)
        raise InputError("--split: unknown split", found=choice.split, expected=", ".join(SPLITS), hint=hint)
    if choice.only is None:
        if choice.runs:
            raise InputError("--from belongs to --only", expected="--only failing|failures|flipped --from RUN")
        return ()
    most = MOST_RUNS[choice.only]
    if not 1 <= len(choice.runs) <= most:
        expected = f"--only {choice.only} --from RUN" + (", or --from RUN --from OTHER" if most == 2 else "")
        raise InputError(
            f"--only {choice.only} looks into a run", found=f"{len(choice.runs) or 'no'} --from", expected=expected
        )
    runs = tuple(map(open_run, choice.runs))
    if len({run.folder.resolve() for run in runs}) < len(runs):
        raise InputError("--from: the same run twice", found=choice.runs[-1], hint="one run: where its votes disagree")
    return runs


def by_outcome(choice: Choice, runs: Sequence[Run]) -> frozenset[str]:
    """The ids that `--only failures` and `--only flipped` mean."""
    if choice.only == "failures":
        return frozenset(id for id, one in _outcomes(runs[0]) if isinstance(one, Failure) and one.stage != "skipped")
    if len(runs) == 1:
        judge, both = runs[0].rubric.judge, runs[0].rubric.kind == "preference" and runs[0].rubric.orders == "both"
        if judge.votes == 1 and not both:
            raise InputError(
                "this run has one vote a sample: nothing in it can disagree", file=runs[0].folder, key="judge.votes",
                found=1, expected="3 votes or more, or both orders of a comparison", hint="or compare two runs: --from twice",
            )  # fmt: skip
        return frozenset(id for id, one in _outcomes(runs[0]) if _divided(one))
    shared = [{criterion.id for criterion in run.rubric.criteria} for run in runs]
    if not shared[0] & shared[1] and all(shared):
        raise InputError(
            "these runs have no criterion in common", found=", ".join(sorted(shared[1])),
            expected=", ".join(sorted(shared[0])),
        )  # fmt: skip
    return frozenset(_flipped(runs))


def _flipped(runs: Sequence[Run]) -> list[str]:
    one, other = (run.store() for run in runs)
    found, met = [], 0
    for row, before in one.outcomes():
        for _, after in other.outcomes([row.sample.id]):
            met += 1
            both = isinstance(before.outcome, Verdict) and isinstance(after.outcome, Verdict)
            if both and compare(row.sample.id, before.outcome, after.outcome).flips:
                found.append(row.sample.id)
    one.close()
    other.close()
    if not met:
        raise InputError("these runs have no sample in common", file=runs[1].folder, found=str(runs[0].folder))
    return found


def _outcomes(run: Run) -> list[tuple[str, Outcome]]:
    store = run.store()
    found = [(row.sample.id, row_.outcome) for row, row_ in store.outcomes()]
    store.close()
    return found


def _divided(outcome: Outcome) -> bool:
    """Whether the votes or orders name more than one level for some criterion of some item."""
    levels: dict[tuple[str, str | None], set[str]] = {}
    for ballot in outcome.ballots:
        if ballot.level is not None:
            levels.setdefault((ballot.criterion, ballot.item), set()).add(ballot.level)
    return any(len(these) > 1 for these in levels.values())


def select(
    samples: SampleFile, rubric: Rubric, choice: Choice, runs: Sequence[Run], ids: frozenset[str] | None
) -> Part:
    """The part of the file that is wanted; `ids` are those of `--only`. Raises `InputError` for a split without samples,
    and for runs that judged other samples."""
    if choice.everything:
        return Part(samples, None)
    names, splits, of, left = names_used(rubric), Counter[str](), 0, list[str]()
    judged = [_Judged(run) for run in runs]
    for _, sample in samples:
        of += 1
        split = place(sample, names)[2]
        splits[split] += 1
        wanted = ids is None or sample.id in ids
        for one in judged:
            one.meet(sample, wanted)
        if wanted and choice.split in (None, split):
            left.append(sample.id)
    for one in judged:
        one.close(samples)
    if choice.split is not None and not splits[choice.split]:
        known = ", ".join(f"{name} {count:,}" for name, count in sorted(splits.items()))
        raise InputError(
            f"no sample is in the split {choice.split}",
            file=samples.path,
            expected=f"a split that has samples: {known}",
        )
    absent = 0 if ids is None else len(ids - judged[0].seen)
    chosen = frozenset(left if choice.sample is None else _smallest(left, choice.sample, choice.seed))
    selection = Selection(
        len(chosen),
        of,
        choice.only,
        tuple(choice.runs),
        choice.split,
        choice.sample,
        choice.seed if choice.sample else 0,
    )
    notes = (f"{absent:,} more that are {choice.only} are not in {samples.path}",) if absent else ()
    return Part(replace(samples, only=chosen), None if len(chosen) == of else selection, notes)


def _smallest(ids: Sequence[str], count: int, seed: int) -> list[str]:
    def place(id: str) -> bytes:
        return hashlib.sha256(f"sample:{seed}:{id}".encode("utf-8", "surrogatepass")).digest()

    return heapq.nsmallest(count, ids, key=place)


class _Judged:
    """Which samples of a file a run judged, and that they are the same ones."""

    def __init__(self, run: Run) -> None:
        self._run, self._store, self._names = run, run.store(), names_used(run.rubric)
        self.seen: set[str] = set()

    def meet(self, sample: Sample, wanted: bool) -> None:
        """Take note of a sample. Raises `InputError` where it is wanted for what came out of another text under its id."""
        known = self._store.fingerprint(sample.id)
        if known is None:
            return
        if wanted and known != sample.fingerprint(self._names):
            raise InputError(
                f"{self._run.folder} judged other content under this id", key="id", found=sample.id,
                hint="what came out there says nothing of this text: judge the samples as they are now, without --only",
            )  # fmt: skip
        self.seen.add(sample.id)

    def close(self, samples: SampleFile) -> None:
        """Raises `InputError` where no sample of the file was judged."""
        self._store.close()
        if not self.seen:
            raise InputError(
                f"{self._run.folder} judged none of these samples", file=samples.path, key="--from",
                hint=f"it judged those of {self._run.manifest.samples_path}",
            )  # fmt: skip
