"""`prepare`: prompts or samples to an RFT data set, every rule checked, or to the list of what is wrong.

file --rows--> Gathering --records--> Part (train, eval) --rules--> Findings --no error--> DIR/*.jsonl, prepare.json
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rftj_cli.errors import InputError, listed, nearest
from rftj_cli.files.datasets import write_dataset
from rftj_cli.kernel.reward import refuse_without_reward
from rftj_cli.kernel.sample import SPLITS
from rftj_cli.rft.dataset import Entry, Part, Prepared, Wish
from rftj_cli.rft.parity import Usage, parity_faults
from rftj_cli.rft.prompts import (
    ANSWERERS,
    Gathering,
    Prompt,
    hidden_context,
    read_row,
    rows_of,
    told_too_much,
)
from rftj_cli.rft.records import Recipe, line_of
from rftj_cli.rft.rules import (
    BATCH,
    PAYLOAD,
    Finding,
    Findings,
    Severity,
    count_finding,
    is_short,
    length_fault,
    message_faults,
    prompt_tokens,
    row_faults,
)


def prepare(wish: Wish) -> Prepared:
    """Check everything, and write the data set where no error is left.

    Raises `InputError` for options that cannot be, and for a file that cannot be read at all.
    """
    _refuse(wish)
    findings, usage = Findings(), Usage()
    work = _Work(wish, findings, usage)
    train, gathered = work.read(wish.samples)
    evals: tuple[Entry, ...] = ()
    if wish.eval is not None:
        evals, more = work.read(wish.eval)
        gathered = (gathered[0] + more[0], gathered[1] + more[1])
    elif wish.split is not None:
        evals = tuple(one for one in train if one.prompt.split == wish.split)
        train = tuple(one for one in train if one.prompt.split != wish.split)
    _refuse_unknown(wish.keep, work.met)
    train, evals = work.without_repeats(train, evals)
    parts = (Part("train", train), *([Part("eval", evals)] if wish.eval or wish.split else []))
    for finding in _of_all(wish, parts, work.met):
        findings.add(finding)
    whole = Prepared(wish, parts, findings, *gathered, dict(sorted(work.dropped.items())), usage, True)
    if findings.number("error"):
        return Prepared(wish, parts, findings, *gathered, whole.dropped, usage, False)
    write_dataset(wish.out, {f"{part.name}.jsonl": part.data for part in parts}, whole.document)
    return whole


def _refuse(wish: Wish) -> None:
    if wish.rubric is not None:
        refuse_without_reward(wish.rubric)
    if wish.split is not None and wish.eval is not None:
        raise InputError("--split and --eval exclude each other")
    if wish.split is not None and wish.split not in SPLITS:
        raise InputError("unknown split", key="--split", found=wish.split, expected=", ".join(SPLITS),
                         hint=nearest(wish.split, SPLITS))  # fmt: skip


def _refuse_unknown(keep: tuple[str, ...], prompts: tuple[Prompt, ...]) -> None:
    """A field that no row has, or that is no property of the prompt, would be missed when the training is over."""
    known = {name for one in prompts for name in (*one.fields, *one.places)}
    for name in keep:
        if prompts and name not in known:
            differs = any(name in one.differing for one in prompts)
            said = "this field differs between the answers of a group" if differs else "no row has this field"
            raise InputError(said, key="--keep", found=name, expected=f"one of {listed(sorted(known))}",
                             hint=nearest(name, sorted(known)))  # fmt: skip


class _Work:
    """Rows to entries. What is wrong with a row is a finding; with --drop-faulty it is counted and the row left out."""

    def __init__(self, wish: Wish, findings: Findings, usage: Usage) -> None:
        self._wish, self._findings, self._usage = wish, findings, usage
        self._recipe = Recipe(wish.target, wish.rubric, wish.keep)
        self.dropped: Counter[str] = Counter()
        self.met: tuple[Prompt, ...] = ()
        self._ids: dict[str, tuple[str, int]] = {}

    def read(self, path: Path) -> tuple[tuple[Entry, ...], tuple[int, int]]:
        """The sound entries of a file, and how many rows it has, and how many with answers."""
        names = frozenset[str]() if self._recipe.needed is None else self._recipe.needed
        found, rows = Gathering(names, self._wish.template), 0
        for row, data in rows_of(path, self._wish.columns):
            rows += 1
            faults = [] if self._wish.template.user is not None else list(message_faults(_asked(data)))
            if "messages" in data and faults:
                self._faulty(path, row, faults)
                continue
            try:
                found.take(read_row(data, row))
            except InputError as error:
                said = error.problem + (f": {error.found}" if error.found else "")
                rule = "template" if (error.key or "").startswith("--") else "unreadable"
                self._faulty(path, error.row or row, [(rule, error.key or "row", said)])
        self.met += found.prompts
        entries = [self._entry(str(path), prompt) for prompt in found.prompts]
        return tuple(one for one in entries if one is not None), (rows, found.answered)

    def _entry(self, file: str, prompt: Prompt) -> Entry | None:
        faults = list(message_faults([dict(one) for one in prompt.messages]))
        if not faults:
            record = self._recipe.record(prompt)
            entry = Entry(file, prompt, record, line_of(record), prompt_tokens(prompt.messages))
            faults = list(self._entry_faults(entry))
        if faults:
            self._faulty(Path(file), prompt.row, faults)
            return None
        for finding in _cautions(entry, self._wish):
            self._findings.add(finding)
        return entry

    def _entry_faults(self, entry: Entry) -> Iterator[tuple[str, str, str]]:
        prompt, needed = entry.prompt, self._recipe.needed
        yield from row_faults(entry.record, len(entry.line.encode()))
        first = self._ids.setdefault(prompt.id, (entry.file, prompt.row))
        if first != (entry.file, prompt.row):
            yield "duplicate-id", "id", f"the same id as in {first[0]}, row {first[1]}: {prompt.id!r}"
        length = length_fault(entry.tokens, self._wish.max_prompt_length)
        if length is not None and length[0] == "error":
            yield "prompt-length", "messages", length[1]
        clash = sorted({*prompt.differing} & (needed or frozenset()))
        if clash:
            yield "differing", clash[0], f"differs between the answers of group {prompt.id}, and the judge needs it"
        elif self._wish.rubric is not None:
            yield from parity_faults(self._wish.rubric, prompt, entry.record, self._wish.target, self._usage)

    def without_repeats(self, train: tuple[Entry, ...], evals: tuple[Entry, ...]) -> tuple[tuple[Entry, ...], ...]:
        """Both parts without prompts that stand twice, and eval without what the training has seen."""
        seen: dict[str, Entry] = {}
        clusters: dict[str, Entry] = {}
        kept: list[list[Entry]] = [[], []]
        for number, part in enumerate((train, evals)):
            for one in part:
                first, beside = seen.setdefault(one.asked, one), clusters.get(one.prompt.cluster)
                place = f"{first.file}, row {first.prompt.row}"
                if first is not one:
                    leak = number == 1 and first in kept[0]
                    rule, of = ("leak", "the training") if leak else ("duplicate-messages", "another record")
                    self._faulty(Path(one.file), one.prompt.row, [(rule, "messages", f"the prompt of {of}: {place}")])
                    continue
                if number == 1 and beside is not None:
                    said = f"the cluster {one.prompt.cluster!r} is in the training too (row {beside.prompt.row})"
                    self._faulty(Path(one.file), one.prompt.row, [("leak", "cluster", said)])
                    continue
                kept[number].append(one)
            if number == 0:
                clusters = {one.prompt.cluster: one for one in kept[0]}
        return tuple(tuple(one) for one in kept)

    def _faulty(self, path: Path, row: int, faults: list[tuple[str, str, str]]) -> None:
        if self._wish.drop:
            self.dropped[faults[0][0]] += 1
        severity: Severity = "warning" if self._wish.drop else "error"
        for rule, key, problem in faults:
            self._findings.add(Finding(rule, severity, str(path), row, key, problem))


def _asked(data: Mapping[str, Any]) -> object:
    """The messages of a row without its answer."""
    messages = data.get("messages")
    if isinstance(messages, list) and len(messages) > 1 and isinstance(messages[-1], dict):
        return messages[:-1] if messages[-1].get("role") in ANSWERERS else messages
    return messages


def _cautions(entry: Entry, wish: Wish) -> Iterator[Finding]:
    row = entry.prompt.row
    if is_short(entry.prompt):
        yield Finding("near-empty", "warning", entry.file, row, "messages", "hardly asks anything")
    length = length_fault(entry.tokens, wish.max_prompt_length)
    if length is not None:
        yield Finding("prompt-length", "warning", entry.file, row, "messages", length[1])


def _of_all(wish: Wish, parts: tuple[Part, ...], prompts: tuple[Prompt, ...]) -> Iterator[Finding]:
    """What is wrong with the data set as a whole."""
    for part in parts:
        if (finding := count_finding(part.name, len(part.entries), wish.target)) is not None:
            yield finding
    if wish.target != "bedrock" and len(parts) == 1:
        said = "Nova on SageMaker is documented with 100 evaluation records: --eval FILE or --split NAME"
        yield Finding("no-eval", "advice", "eval.jsonl", None, None, said)
    largest = max((len(one.line.encode()) for part in parts for one in part.entries), default=0)
    if PAYLOAD >= largest > PAYLOAD / BATCH:
        said = f"the largest record has {largest:,} bytes: {BATCH} of them are more than Lambda takes in one invocation"
        yield Finding("batch-size", "warning", "train.jsonl", None, None, said)
    for rule, said_ in (("reference-shown", told_too_much(wish.template)), ("context", hidden_context(prompts))):
        if said_ is not None:
            yield Finding(rule, "warning", str(wish.samples), None, "messages", said_)
    differing = sorted({name for one in prompts for name in one.differing} - {"rollout"})
    if differing:
        said = f"left out, since they differ between the answers of a group: {', '.join(differing[:12])}"
        yield Finding("left-out", "advice", str(wish.samples), None, None, said)
