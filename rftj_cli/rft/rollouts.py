"""Rollouts: the answers of the model that is to be trained, n to each prompt, through the runner of `rftj score`.

    prompts --Task (one call each)--> engine --> store --(in the order of the prompts)--> samples for `rftj score`

A rollout is a text of the model, whole or cut at its limit of tokens. Whatever else comes back is a failure: it is
counted, listed, and no sample.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from rftj_cli.errors import CannotTell, InputError, Interrupted
from rftj_cli.files.rollouts import RolloutManifest, read_rollouts, refuse_foreign, write_rollouts
from rftj_cli.files.runs import Lock, make_private
from rftj_cli.files.store import Store
from rftj_cli.files.store_rows import SampleRow
from rftj_cli.kernel.asks import Ask
from rftj_cli.kernel.canonical import digest
from rftj_cli.kernel.dialect import notes_of
from rftj_cli.kernel.evaluate import Judged, Task
from rftj_cli.kernel.outcome import CallError, Failure, Reply, Request, Reward, Verdict
from rftj_cli.kernel.rubric import Prompt as NoPrompt
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.sample import Sample
from rftj_cli.rft.prompts import Gathering, Prompt, gather, hidden_context, told_too_much
from rftj_cli.rft.rollout_file import Written, write_samples
from rftj_cli.rft.rollout_order import (
    Cautious,
    Expected,
    Wish,
    checked,
    connected,
    expected_of,
    requests_of,
    rollout_of,
)
from rftj_cli.rft.rollout_runs import begun, ended, refuse_changed
from rftj_cli.running.account import Tally
from rftj_cli.running.budget import Budget
from rftj_cli.running.calling import Live, live_of
from rftj_cli.running.engine import Engine
from rftj_cli.running.live import Endpoint
from rftj_cli.running.parts import Parts
from rftj_cli.running.preflight import is_settled
from rftj_cli.running.signals import stops_on_signals
from rftj_cli.running.tokens import Meter


@dataclass(frozen=True, slots=True)
class Sampled:
    """What one `rft sample` command did, and the rollouts as they are now."""

    wish: Wish
    gathering: Gathering
    expected: Expected
    manifest: RolloutManifest
    tally: Tally
    budget: Budget
    written: Written
    warnings: tuple[str, ...]

    def refuse_failures(self, limit: float) -> None:
        """Raise `CannotTell` where more than this share of the rollouts failed."""
        failed, wanted = len(self.written.failures), self.written.rollouts + len(self.written.failures)
        if failed / wanted > limit:
            raise CannotTell(
                f"{failed} of {wanted} rollouts failed ({failed / wanted:.1%}), more than --max-failures {limit:g}\n"
                f"  everything is kept in {self.wish.where}; the same command tries again what the service failed at"
            )


class _Own:
    """Replies that a killed command has kept without their outcomes. Those of other prompts answer nothing here."""

    name = "these rollouts"

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, sample: str, ask: Ask) -> Reply | None:
        """The reply to exactly this rollout."""
        found = self._store.answer(sample, ask.request.key)
        return found if isinstance(found, Reply) else None


def sample(wish: Wish) -> Sampled:
    """Ask the model for what the folder does not hold yet, and write the samples.

    Raises `InputError` before anything is called, `CannotTell` where the model or the budget ends it, `Interrupted` on
    Ctrl-C: what was sampled is kept, and the same command goes on.
    """
    price = checked(wish)
    gathering = gather(wish.prompts, wish.columns, wish.template)
    requests = requests_of(wish, gathering.prompts)
    folder = wish.where
    refuse_foreign(folder)
    known = read_rollouts(folder)
    refuse_changed(known, wish.settings, folder)
    meter = Cautious({} if known is None else known.learned.get("tokens"))
    expected = expected_of(wish, gathering.prompts, requests, meter, price)
    judge = connected(wish, {} if known is None else known.learned.get("accepted", {})) if expected.calls else None
    make_private(folder, "folder of rollouts")
    with Lock(folder):
        stop = threading.Event()
        rates = None if known is None else known.learned.get("rates")
        live = None if judge is None else live_of(judge, wish.judge, wish.pace, meter, stop, rates)
        return _Run(wish, gathering, requests, expected, live, stop, meter).go()


def _conclude(task: Task, answered: Sequence[tuple[Ask, Reply | CallError]]) -> Judged:
    """A rollout, or why there is none. Nothing is read into an answer."""
    ((_, answer),) = answered
    outcome: Verdict | Failure = Verdict((), ())
    if isinstance(answer, CallError):
        outcome = Failure(answer.stage, answer.reason)
    elif answer.stop in ("filtered", "refused"):
        outcome = Failure(answer.stop, f"the service ended it: {answer.stop_reason or answer.stop}")
    elif not answer.text.strip():
        outcome = Failure("truncated", "the limit of tokens was reached before the first word (reasoning counts too)")
    return Judged(outcome, Reward(None, (), "a rollout is not judged"), ())


class _Run:
    """The sampling of one command, its folder locked."""

    def __init__(
        self, wish: Wish, gathering: Gathering, requests: dict[str, Request], expected: Expected, live: Live | None,
        stop: threading.Event, meter: Meter,
    ) -> None:  # fmt: skip
        self._wish, self._gathering, self._requests, self._expected = wish, gathering, requests, expected
        self._live, self._stop, self._folder = live, stop, wish.where
        traffic = None if live is None else live.traffic
        self._budget = Budget(expected.price, wish.max_cost, meter)
        self._tally = Tally(expected.calls, wish.progress(expected, self._folder), traffic)
        self._interrupted, self._meter, self._moved = threading.Event(), meter, False

    def go(self) -> Sampled:
        wish, folder = self._wish, self._folder
        source = Endpoint(wish.judge, 1, wish.base_url, wish.region).name
        before = read_rollouts(folder)
        self._moved = before is not None and before.source != source and self._expected.settled > 0
        manifest = begun(folder, wish.settings, source, wish.prompts)
        with ExitStack() as open_:
            store = Store(folder / "store.sqlite", write=True)
            open_.callback(store.close)
            reader = Store(folder / "store.sqlite", write=False)
            open_.callback(reader.close)
            began = time.monotonic()
            try:
                self._judge(store, reader)
            finally:
                self._tally.progress.close(self._tally.snapshot())
                learned = {} if self._live is None else self._live.learned()
                seconds = time.monotonic() - began
                manifest = ended(manifest, store, self._expected.rollouts, self._tally, seconds, learned)
                write_rollouts(folder, manifest)
            self._refuse_unfinished(manifest)
            keys = lambda id, k: rollout_of(self._requests[id], k).key
            written = write_samples(wish.out, self._gathering.prompts, wish.n, wish.settings, reader, keys)
        return Sampled(
            wish, self._gathering, self._expected, manifest, self._tally, self._budget, written, self._warnings(written)
        )

    def _judge(self, store: Store, reader: Store) -> None:
        traffic = None if self._live is None else self._live.traffic
        parts = Parts(
            store, [_Own(reader)], self._expected.price, self._budget, self._tally, self._meter, self._stop, traffic,
            conclude=_conclude, who="the model",
        )  # fmt: skip
        with stops_on_signals(self._stop, self._interrupted):
            Engine(parts, None if self._live is None else self._live.pool()).run(self._tasks(reader))

    def _tasks(self, reader: Store) -> Iterator[tuple[SampleRow, Task]]:
        rubric = Rubric("rollouts", "rubric", (), NoPrompt("", ""), self._wish.judge)
        for prompt in self._gathering.prompts:
            content = digest([[dict(one) for one in prompt.messages], dict(prompt.fields)])
            for k in range(1, self._wish.n + 1):
                id = f"{prompt.id}-{k}"
                _same(reader, id, content, prompt)
                if is_settled(reader, id):
                    continue
                ask = Ask((), None, "given", k - 1, rollout_of(self._requests[prompt.id], k))
                one = Sample(id, {}, prompt.id)
                yield SampleRow(one, content, prompt.id, prompt.cluster, prompt.split), Task(rubric, one, (), (ask,))

    def _refuse_unfinished(self, manifest: RolloutManifest) -> None:
        done, whole = manifest.counts["sampled"], self._expected.rollouts
        if self._interrupted.is_set():
            raise Interrupted(f"{done} of {whole} rollouts are kept in {self._folder}")
        if self._budget.exhausted:
            raise CannotTell(
                f"--max-cost {self._wish.max_cost:g} reached: {done} of {whole} rollouts are kept in {self._folder}\n"
                "  the same command with a higher ceiling goes on; no samples file is written before the end"
            )

    def _warnings(self, written: Written) -> tuple[str, ...]:
        wish = self._wish
        notes = () if self._live is None else notes_of(self._live.judge)
        found = [told_too_much(wish.template), hidden_context(self._gathering.prompts)]
        if self._moved:
            found.append(
                f"{self._expected.settled} rollouts came from another endpoint or region: is it the same model?"
            )
        if wish.temperature == 0 and wish.n > 1:
            found.append("temperature 0: the answers to one prompt are alike, and alike they give no signal")
        if written.cut:
            found.append(
                f"{written.cut} of {written.rollouts} answers were cut at --max-tokens {wish.max_tokens}: the reward "
                "would be that of half an answer"
            )
        if written.uniform and wish.n > 1:
            found.append(
                f"{written.uniform} of {written.prompts} prompts got the same answer each time: no signal to train on"
            )
        return (*(one for one in found if one), *notes)


def _same(store: Store, id: str, content: str, prompt: Prompt) -> None:
    known = store.fingerprint(id)
    if known is not None and known != content:
        raise InputError(
            "this folder holds rollouts of another prompt under the same id", row=prompt.row, key="id", found=prompt.id,
            hint="sample changed prompts in another folder (--run DIR), or give them new ids",
        )  # fmt: skip
