"""The model that proposes edits: what it is shown, how it is called, and every answer kept so that nothing is paid for twice.

Texts of samples, reasons and labels are enclosed by fences whose tokens they cannot contain: they are cases, never words of
the prompt. What comes back is one `Edit`, which the guards in `edits.py` read before anything else does.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from rftj_cli.errors import CannotTell, InputError, Interrupted
from rftj_cli.files.runs import make_private
from rftj_cli.files.text import append_line, read_text
from rftj_cli.kernel.outcome import CallError, Judge, Reply, Request
from rftj_cli.kernel.parse import Unparsed, objects
from rftj_cli.kernel.retry import Retry
from rftj_cli.kernel.template import render
from rftj_cli.refine.edits import Refused
from rftj_cli.refine.values import Edit
from rftj_cli.running.budget import Budget
from rftj_cli.running.signals import stops_on_signals

SYSTEM = "You improve the written instructions of an automated judge. You are careful, general and brief."
JOURNALS = Path(".rftj") / "refine"
LONGEST = 1500  # characters of one text of a case
MOST_TOKENS = 1500  # that a proposal may have


@dataclass(frozen=True, slots=True)
class Case:
    """One judged sample as the proposer sees it."""

    judged: str
    verdict: str
    reason: str
    label: str
    label_reason: str

    def shown(self) -> str:
        """All of it as text, long parts cut."""
        rows = (
            ("judged", self.judged), ("the judge said", self.verdict), ("its reason", self.reason),
            ("the label says", self.label), ("the reason of the label", self.label_reason),
        )  # fmt: skip
        return "\n".join(f"{name}: {text[:LONGEST]}" for name, text in rows if text)


@dataclass(frozen=True, slots=True)
class Assignment:
    """What one proposal is asked for."""

    parts: Mapping[str, str]
    criterion: str
    direction: str
    terms: tuple[str, ...]
    count: int
    compared: int
    cases: Sequence[Case]
    right: Sequence[Case] = ()
    tried: Sequence[str] = ()

    def prompt(self) -> str:
        """The user message."""
        template = files("rftj_cli.refine").joinpath("proposer.md").read_text(encoding="utf-8")
        values = {
            "parts": [[name, text] for name, text in self.parts.items()],
            "mistake": f"on {self.criterion}: {self.direction}; {self.count} of {self.compared} that were compared",
            "terms": ", ".join(self.terms),
            "cases": [one.shown() for one in self.cases],
            "right": [one.shown() for one in self.right],
            "tried": list(self.tried),
            "percent_braces": "{% ... %}",
        }
        return render(template, values, key="refine")


@dataclass(slots=True)
class Proposer:
    """Asks the model, within the budget, and remembers what it said.

    `journal` holds the answers by request: a search that is begun again goes on where it was, and `connect` is then called
    only where an answer is not there yet. `lend` brings the ceiling of the budget up to date.
    """

    model: str
    connect: Callable[[], Judge]
    budget: Budget
    journal: Path
    seed: int = 0
    lend: Callable[[], None] = lambda: None
    asked: int = 0
    reused: int = 0
    tokens: tuple[int, int] = (0, 0)
    _known: dict[str, str] = field(default_factory=dict)
    _judge: Judge | None = None

    def __post_init__(self) -> None:
        if self.journal.exists():
            for row, line in enumerate(read_text(self.journal, "journal of proposals").splitlines(), 1):
                self._known.update([_entry(line, self.journal, row)])
        else:  # what is wrong with the model is found before anything is paid for
            self._judge = Retry(self.connect())

    def edit(self, assignment: Assignment) -> Edit:
        """One proposed edit. Raises `Refused` where the answer is none, `CannotTell` where the model or the budget ends."""
        return read_edit(self.answer(assignment.prompt()))

    def answer(self, user: str) -> str:
        """The model's words on a prompt, from the journal where it was asked the same before."""
        request = Request(
            model=self.model, system=SYSTEM, user=user, temperature=None, max_tokens=MOST_TOKENS, seed=self.seed,
            answers={}, reason="none", json=False, structure="text",
        )  # fmt: skip
        known = self._known.get(request.key)
        if known is not None:
            self.reused += 1
            return known
        self.lend()
        if not self.budget.reserve(request):
            raise CannotTell("--max-cost reached: a proposal might cost more than is left")
        interrupted = threading.Event()
        with stops_on_signals(threading.Event(), interrupted):  # what is in flight is kept
            text = self._ask(request)
            self._known[request.key] = text
            make_private(self.journal.parent, "folder of proposals")
            append_line(self.journal, json.dumps({"request": request.key, "text": text}, ensure_ascii=False))
        if interrupted.is_set():
            raise Interrupted("the proposal and everything judged so far are kept; the same command goes on")
        return text

    def _ask(self, request: Request) -> str:
        if self._judge is None:
            self._judge = Retry(self.connect())
        self.asked += 1
        answer: Reply | CallError
        try:
            answer = self._judge(request)
        except CallError as error:
            answer = error
        self.budget.settle(request, answer)
        if isinstance(answer, CallError):
            advice = f"\n  {answer.advice}" if answer.advice else ""
            raise CannotTell(f"the proposer {self.model} does not answer: {answer.reason}{advice}") from answer
        self.tokens = (self.tokens[0] + answer.input_tokens, self.tokens[1] + answer.output_tokens)
        return answer.text


def _entry(line: str, path: Path, row: int) -> tuple[str, str]:
    try:
        data = json.loads(line)
        return str(data["request"]), str(data["text"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"this line of the journal cannot be read: {error}", file=path, row=row) from None


def read_edit(text: str) -> Edit:
    """The edit in an answer. Raises `Refused` where there is none, or more than one."""
    try:
        found = [value for _, _, value in objects(text) if "part" in value]
    except Unparsed as error:
        raise Refused(f"the proposal cannot be read: {error}") from None
    if len(found) != 1:
        raise Refused(f"the proposal holds {len(found)} edits, not one")
    fields = {name: found[0].get(name, "") for name in ("part", "find", "replace", "why")}
    if not all(isinstance(value, str) for value in fields.values()) or not fields["replace"]:
        raise Refused("the proposal names no `replace`, or not as text")
    if not all(c.isprintable() or c in "\n\t" for name in ("part", "find", "replace") for c in str(fields[name])):
        raise Refused("the proposal holds control characters, or half of a character")
    why = "".join(c if c.isprintable() else " " for c in str(fields["why"]))
    return Edit(str(fields["part"]), str(fields["find"]), str(fields["replace"]), why)
