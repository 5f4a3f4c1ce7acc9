"""The samples that a command has still to judge: those never tried first, then those that failed by the service before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from rftj_cli.errors import InputError
from rftj_cli.files.samples import SampleFile
from rftj_cli.files.store import Store
from rftj_cli.files.store_rows import SampleRow
from rftj_cli.kernel.asks import Ask, names_used
from rftj_cli.kernel.evaluate import Task, prepare
from rftj_cli.kernel.outcome import SERVICE_STAGES
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.sample import Sample
from rftj_cli.running.preflight import Forecast, place
from rftj_cli.running.recordings import ImportedFile
from rftj_cli.running.traffic import SCOUTS

Fed = tuple[SampleRow, Task]


@dataclass(frozen=True, slots=True)
class Feed:
    """Tasks, read and prepared one by one. `store` and `history` are the run's, `source` is the judge that is called now.

    `read` is the state of the file that was checked: where it was written again since, no more tasks come.
    """

    rubric: Rubric
    samples: SampleFile
    store: Store
    imported: ImportedFile | None
    forecast: Forecast
    history: Sequence[Mapping[str, Any]]
    source: str
    read: tuple[int, ...] | None

    def __iter__(self) -> Iterator[Fed]:
        try:
            for sample in self._open():
                if self.samples.state() != self.read:
                    return
                yield self._made(sample)
        except InputError:
            if self.samples.state() == self.read:
                raise

    def spread(self, after: int) -> Iterator[Fed]:
        """Tasks from different places behind the first `after`: where a file is bad at its head, these may be good."""
        step = max(1, (self.forecast.samples - self.forecast.settled - after) // SCOUTS)
        return map(self._made, islice(self._open(), after + step - 1, None, step))

    def known_good(self) -> tuple[Task, Ask] | None:
        """A call that the judge has answered in an earlier command."""
        if not any(entry.get("source") == self.source and entry.get("calls") for entry in self.history):
            return None
        for _, sample in self.samples:
            if (self.store.settled(sample.id) or ("",))[0] == "verdict":
                task = prepare(self.rubric, sample)
                if task.asks and self.store.reply(task.asks[0].request.key) is not None:
                    return task, task.asks[0]
        return None

    def _open(self) -> Iterator[Sample]:
        """The samples without an outcome that stands. Ids are unique: only earlier commands can have settled one."""
        before = self.store if self.store.count("outcomes") else None
        tried = set[str]()
        for _, sample in self.samples:
            if self.imported is not None:
                self.imported.meet(sample.id)
            known = None if before is None else before.settled(sample.id)
            if known is None:
                yield sample
            elif known[1] in SERVICE_STAGES:
                tried.add(sample.id)
        yield from (sample for _, sample in (self.samples if tried else ()) if sample.id in tried)

    def _made(self, sample: Sample) -> Fed:
        names = names_used(self.rubric)
        group, cluster, split = place(sample, names)
        return SampleRow(sample, sample.fingerprint(names), group, cluster, split), prepare(self.rubric, sample)
