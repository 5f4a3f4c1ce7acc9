"""What the training service asks of a data set, rule by rule: documented by AWS, or a fault of its own kind.

    one row --message_faults, row_faults--> Finding      all rows --set_findings--> Finding

An `error` keeps the data set from being written, or its row out of it; a `warning` and an `advice` are said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from rftj_cli.errors import listed
from rftj_cli.rft.prompts import ANSWERERS, Prompt
from rftj_cli.running.tokens import MESSAGE_TOKENS, PRIMING_TOKENS, estimate

ROLES: Final = ("system", "user", "assistant", "tool", "bot", "developer")
LEAST: Final = 100  # records that a data set has at least
SMALL: Final = 200  # records: fewer test a reward, as AWS advises
LARGE: Final = 10_000  # records: more than AWS advises
PAYLOAD: Final = 6_000_000  # bytes that Lambda takes in one invocation
BATCH: Final = 64  # rows that a trainer may send in one
SHORT: Final = 8  # characters of a prompt that hardly asks anything
UNSURE: Final = 0.15  # of an estimate of tokens
SHOWN: Final = 3  # findings of one rule that are listed

Severity = Literal["error", "warning", "advice"]
Fault = tuple[str, str, str]  # rule, key, problem


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: where it is, and which rule it breaks. `row` None: it is one of the whole file."""

    rule: str
    severity: Severity
    file: str
    row: int | None
    key: str | None
    problem: str


@dataclass(slots=True)
class Findings:
    """Findings in the order in which they were made: all counted, the first of each rule kept."""

    kept: list[Finding] = field(default_factory=list)
    counts: Counter[tuple[str, Severity]] = field(default_factory=Counter)

    def add(self, finding: Finding) -> None:
        """Count one."""
        self.counts[finding.rule, finding.severity] += 1
        if self.counts[finding.rule, finding.severity] <= SHOWN:
            self.kept.append(finding)

    def number(self, severity: Severity) -> int:
        """How many there are of a severity."""
        return sum(count for (_, one), count in self.counts.items() if one == severity)


def message_faults(messages: object) -> Iterator[Fault]:
    """What is wrong with the messages of a row, its answer taken off."""
    if not isinstance(messages, list) or not messages:
        yield "messages", "messages", "not a list of messages"
        return
    roles = []
    for at, message in enumerate(messages):
        key = f"messages[{at}]"
        if not isinstance(message, Mapping) or "role" not in message or "content" not in message:
            yield "messages", key, "not {role, content}"
            continue
        roles.append(message["role"])
        extra = sorted(str(name) for name in message if name not in ("role", "content"))
        if extra:
            yield "extra-key", f"{key}.{extra[0]}", f"a key that no message may have: {listed(extra)}"
        if message["role"] not in ROLES:
            yield "role", f"{key}.role", f"no such role: {str(message['role'])[:40]!r} (one of {', '.join(ROLES)})"
        if message["role"] == "system" and at:
            yield "system-first", f"{key}.role", "the system message is not the first"
        yield from _content_faults(message["content"], f"{key}.content")
    if "user" not in roles:
        yield "user", "messages", "no message of the user"
    if roles and roles[-1] in (*ANSWERERS, "bot"):
        yield "last-turn", f"messages[{len(messages) - 1}]", "the last message is the model's own: it is to write that"


def _content_faults(content: object, key: str) -> Iterator[Fault]:
    blocks = content if isinstance(content, list) else [{"text": content}]
    texts = [one.get("text") for one in blocks if isinstance(one, Mapping)]
    if len(texts) != len(blocks) or not all(isinstance(text, str) for text in texts):
        yield "text-only", key, "not text: the training takes text alone"
    elif not "".join(map(str, texts)).strip():
        yield "empty", key, "an empty message"


def row_faults(row: Mapping[str, Any], size: int) -> Iterator[Fault]:
    """What is wrong with a record as it would be written, `size` bytes long."""
    metadata = row.get("metadata")
    holder = metadata if isinstance(metadata, Mapping) else row
    reference = holder.get("reference_answer")
    if "reference_answer" in holder and not isinstance(reference, (str, dict)):
        yield "reference", "reference_answer", f"{type(reference).__name__} instead of text or an object"
    elif "reference_answer" in holder and not (reference.strip() if isinstance(reference, str) else reference):
        yield "reference", "reference_answer", "empty"
    if "metadata" in row and not isinstance(metadata, Mapping):
        yield "reserved", "metadata", "this name is the service's own, for an object of the row's fields"
    if size > PAYLOAD:
        yield "record-size", "messages", f"{size:,} bytes, more than an invocation of Lambda holds ({PAYLOAD:,})"


def prompt_tokens(messages: Sequence[Mapping[str, str]]) -> int:
    """About how many tokens the prompt has for the model."""
    return sum(estimate(one["content"]) + MESSAGE_TOKENS for one in messages) + PRIMING_TOKENS


def length_fault(tokens: int, most: int) -> tuple[Severity, str] | None:
    """Prompts that the service leaves out of the training without a word, as far as an estimate can tell."""
    about = f"about {tokens:,} tokens, --max-prompt-length {most:,}"
    if tokens > most * (1 + UNSURE):
        return "error", f"the service drops prompts that are too long: {about}"
    if tokens > most * (1 - UNSURE):
        return "warning", f"the service may drop this prompt: {about}"
    return None


def is_short(prompt: Prompt) -> bool:
    """Whether the user's part of a prompt hardly asks anything."""
    return sum(len(one["content"].strip()) for one in prompt.messages if one["role"] == "user") < SHORT


def count_finding(name: str, records: int, target: str) -> Finding | None:
    """What the number of records in one of the files says."""
    file = f"{name}.jsonl"
    if records < LEAST:
        binding = name == "train" or target != "bedrock" or not records
        said = f"{records} sound {'record' if records == 1 else 'records'}, and the service wants at least {LEAST}"
        return Finding("too-few", "error" if binding else "advice", file, None, None, said)
    if name == "train" and records < SMALL:
        said = f"{records} records test a reward; a training has 200 to 5,000"
        return Finding("few", "advice", file, None, None, said)
    if name == "train" and records > LARGE:
        said = f"{records:,} records; up to {LARGE:,} are advised, and your quota says how many are allowed"
        return Finding("many", "advice", file, None, None, said)
    return None
