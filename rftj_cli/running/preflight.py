"""The pass over all inputs that precedes the first call: reads and renders everything, forecasts, and calls nobody."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rftj_cli.errors import InputError, Shown
from rftj_cli.files.prices import Price
from rftj_cli.files.samples import SampleFile
from rftj_cli.files.store import Store
from rftj_cli.kernel.asks import Ask, names_used
from rftj_cli.kernel.evaluate import Task, prepare
from rftj_cli.kernel.outcome import SERVICE_STAGES
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.sample import Sample
from rftj_cli.running.recordings import ImportedFile, Recordings
from rftj_cli.running.tokens import Meter

MEASURED_ALL = 1000  # calls whose tokens are estimated one by one, and every so many of the others
MEASURED_EVERY = 8


@dataclass(frozen=True, slots=True)
class Forecast:
    """What scoring these samples will take. Tokens are estimates, `cost` is None where the price is unknown."""

    samples: int
    settled: int
    calls: int
    recorded: int
    input_tokens: int
    output_tokens: int
    cost: float | None
    price: Price | None
    groups: int
    clusters: int
    splits: dict[str, int]
    first: Ask | None


def is_settled(store: Store | None, id: str) -> bool:
    """Whether a run has an outcome for this sample that stands: failures of the service are tried again."""
    known = None if store is None else store.settled(id)
    return known is not None and known[1] not in SERVICE_STAGES


class _Count:
    """Running totals of one pass."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.samples = self.settled = self.calls = self.recorded = 0
        self._measured = self._characters = self._rest = self._input = self._output = 0
        self.groups = array("q")  # hashes: 8 bytes a sample, where a set would take 60
        self.clusters = array("q")
        self.splits: dict[str, int] = {}
        self.first: Ask | None = None

    def place(self, group: str, cluster: str, split: str) -> None:
        self.groups.append(hash(group))
        self.clusters.append(hash(cluster))
        self.splits[split] = self.splits.get(split, 0) + 1

    def call(self, ask: Ask) -> None:
        self.calls += 1
        size = len(ask.request.system) + len(ask.request.user)
        if self.calls > MEASURED_ALL and self.calls % MEASURED_EVERY:
            self._rest += size
            return
        tokens = self._meter.expected(ask.request)
        self._measured += 1
        self._characters += size
        self._input += tokens[0]
        self._output += tokens[1]

    @property
    def tokens(self) -> tuple[int, int]:
        """Input and output tokens of all calls: those not measured have as many by character, and as long replies."""
        given = self._input * (1 + self._rest / max(1, self._characters))
        return round(given), round(self._output * self.calls / max(1, self._measured))


def place(sample: Sample, names: frozenset[str]) -> tuple[str, str, str]:
    """(group, cluster, split) of a sample."""
    from rftj_cli.kernel.sample import split_of

    group = sample.group_of(names)
    cluster = sample.cluster or group
    return group, cluster, sample.split or split_of(cluster)


def preflight(
    rubric: Rubric,
    samples: SampleFile,
    *,
    store: Store | None = None,
    recordings: Sequence[Recordings] = (),
    must_replay: bool = False,
    price: Price | None = None,
    meter: Meter | None = None,
) -> Forecast:
    """Validate every sample against the rubric and the run, and count what there is to do.

    With `must_replay` a call without a recording is an error that names the sample. `meter` is what earlier runs taught
    of the judge's usage. Nothing is written.
    """
    names, count, misses = names_used(rubric), _Count(Meter() if meter is None else meter), []
    for row, sample in samples:
        try:
            task = prepare(rubric, sample)
            _same(store, sample, names)
        except InputError as error:
            raise InputError(
                f"sample {sample.id}: {error.problem}",
                file=error.file or samples.path,
                row=row,
                key=error.key,
                found=None if error.found is None else Shown(error.found),
                expected=error.expected,
                hint=error.hint,
            ) from None
        count.samples += 1
        count.place(*place(sample, names))
        count.first = count.first or (task.asks[0] if task.asks else None)
        if is_settled(store, sample.id):
            count.settled += 1
        else:
            misses += _calls(task, recordings, count)
    if must_replay and misses:
        _missed(misses, recordings)
    for one in recordings:
        if isinstance(one, ImportedFile):
            one.bind()
    given, written = count.tokens
    cost = None if price is None else price.cost(given, written)
    return Forecast(
        count.samples, count.settled, count.calls, count.recorded, given, written, cost, price,
        len(set(count.groups)), len(set(count.clusters)), count.splits, count.first,
    )  # fmt: skip


def _calls(task: Task, recordings: Sequence[Recordings], count: _Count) -> list[str]:
    """Count the calls of one sample; the ids of samples whose replies are not recorded."""
    missed = []
    for ask in task.asks:
        if any(one.find(task.sample.id, ask) is not None for one in recordings):
            count.recorded += 1
        else:
            count.call(ask)
            missed.append(task.sample.id)
    return missed


def _missed(misses: list[str], recordings: Sequence[Recordings]) -> None:
    samples = list(dict.fromkeys(misses))
    raise InputError(
        f"no recorded reply for sample {samples[0]}"
        + (f" and {len(samples) - 1} others" if len(samples) > 1 else "")
        + f" ({', '.join(one.name for one in recordings)})",
        key="id",
        found=samples[0],
        hint="a reply answers only the exact request it was given to: a changed prompt, model or setting misses",
    )


def _same(store: Store | None, sample: Sample, names: frozenset[str]) -> None:
    """A known id must have the content that was judged."""
    known = None if store is None else store.fingerprint(sample.id)
    if store is None or known is None or known == sample.fingerprint(names):
        return
    old, new = replace(sample, fields=store.fields(sample.id)).seen(names), sample.seen(names)
    changed = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    raise InputError(
        "this run judged other content under the same id",
        key=changed[0] if changed else "criteria",
        hint="judge changed samples in a new run (--run DIR), or give them new ids",
    )
