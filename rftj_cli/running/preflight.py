"""The pass over all inputs that precedes the first call: reads and renders everything, forecasts, and calls nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rftj_cli.errors import InputError, Shown
from rftj_cli.files.prices import Price
from rftj_cli.files.samples import SampleFile
from rftj_cli.files.store import Store
from rftj_cli.kernel.asks import Ask, names_used
from rftj_cli.kernel.evaluate import Task, prepare
from rftj_cli.kernel.outcome import SERVICE_STAGES, Request
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.sample import Sample
from rftj_cli.running.recordings import ImportedFile, Recordings

CHARS_PER_TOKEN = 4.0  # English prose and JSON; the forecast says that it is an estimate
TOKENS_PER_ANSWER = {"none": 12, "before": 60, "after": 60}


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


def request_tokens(request: Request) -> tuple[int, int]:
    """The estimated input and output tokens of one call."""
    answer = sum(TOKENS_PER_ANSWER[request.reason] for _ in request.answers)
    return round((len(request.system) + len(request.user)) / CHARS_PER_TOKEN), min(answer, request.max_tokens)


class _Count:
    """Running totals of one pass."""

    def __init__(self) -> None:
        self.samples = self.settled = self.calls = self.recorded = self.input = self.output = 0
        self.groups: set[int] = set()
        self.clusters: set[int] = set()
        self.splits: dict[str, int] = {}
        self.first: Ask | None = None

    def place(self, group: str, cluster: str, split: str) -> None:
        self.groups.add(hash(group))
        self.clusters.add(hash(cluster))
        self.splits[split] = self.splits.get(split, 0) + 1

    def call(self, ask: Ask) -> None:
        tokens = request_tokens(ask.request)
        self.calls += 1
        self.input += tokens[0]
        self.output += tokens[1]


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
) -> Forecast:
    """Validate every sample against the rubric and the run, and count what there is to do.

    With `must_replay` a call without a recording is an error that names the sample. Nothing is written.
    """
    names, count, misses = names_used(rubric), _Count(), []
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
    cost = None if price is None else price.cost(count.input, count.output)
    return Forecast(
        count.samples, count.settled, count.calls, count.recorded, count.input, count.output, cost, price,
        len(count.groups), len(count.clusters), count.splits, count.first,
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
