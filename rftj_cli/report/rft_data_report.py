"""What `rftj rft prepare` prints: the data set, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote
from typing import Any

from rftj_cli.errors import counted
from rftj_cli.report.blocks import Block, Entries, Facts, Heading, Lines
from rftj_cli.report.copied import advise
from rftj_cli.report.documents import show_json
from rftj_cli.report.words import cut
from rftj_cli.rft.dataset import Part, Prepared
from rftj_cli.rft.rules import Finding, Severity

_TITLES: tuple[tuple[Severity, str], ...] = (("error", "Errors"), ("warning", "Warnings"), ("advice", "Advice"))


def show(prepared: Prepared, *, json: bool, quiet: bool) -> None:
    """Print what was found, and what was written."""
    if json:
        show_json(document(prepared))
        return
    from rftj_cli.report import console

    console.show(list(_blocks(prepared)))
    if prepared.written and prepared.wish.target == "bedrock" and not quiet:
        out = prepared.wish.out
        given = "--name JOB --role ARN --reward ARN --s3 s3://BUCKET/PREFIX"
        advise("next", f"rftj rft submit {quote(str(out))} {given}")


def document(prepared: Prepared) -> dict[str, Any]:
    """The manifest, with what was found."""
    counts = prepared.findings.counts
    return {
        **prepared.document,
        "out": str(prepared.wish.out),
        "written": prepared.written,
        "counts": {one: prepared.findings.number(one) for one, _ in _TITLES},
        "rules": [{"rule": rule, "severity": severity, "count": n} for (rule, severity), n in sorted(counts.items())],
        "findings": prepared.findings.kept,
    }


def _blocks(prepared: Prepared) -> Iterator[Block]:
    yield Facts(_rows(prepared))
    for severity, title in _TITLES:
        kept = [one for one in prepared.findings.kept if one.severity == severity]
        if not kept:
            continue
        number = prepared.findings.number(severity)
        shown = "" if len(kept) == number else f" (the first {len(kept)} of {number:,})"
        yield Heading(f"{title}{shown}")
        if severity == "advice":
            yield Lines([f"{one.file}: {one.problem}" for one in kept])
        else:
            yield Entries([(_where(one), [cut(one.problem, 300)]) for one in kept])
    if not prepared.written:
        mend = ": mend the rows, or leave them out with --drop-faulty" if _has_faulty_rows(prepared) else ""
        yield Lines([f"nothing was written{mend}"])


def _has_faulty_rows(prepared: Prepared) -> bool:
    return any(one.severity == "error" and one.row is not None for one in prepared.findings.kept)


def _rows(prepared: Prepared) -> list[tuple[str, str]]:
    rows = [(part.name, _part(part)) for part in prepared.parts]
    source = counted(prepared.rows, "row")
    if prepared.answered:
        source += f", {prepared.answered:,} with an answer (answers and labels are left out)"
    rows.append(("from", f"{prepared.wish.samples}: {source}"))
    if prepared.dropped:
        why = ", ".join(f"{count:,} {rule}" for rule, count in prepared.dropped.items())
        rows.append(("left out", f"{counted(sum(prepared.dropped.values()), 'row')}: {why}"))
    rubric = prepared.wish.rubric
    if rubric is not None:
        checked = counted(prepared.usage.answers, "prompt")
        rows.append(("judge", f"{rubric.name}, fingerprint {rubric.judge_fingerprint[:8]}; compared for {checked}"))
    if prepared.written:
        rows.append(("written", f"{prepared.wish.out} ({prepared.wish.target})"))
    return rows


def _part(part: Part) -> str:
    document = part.document
    tokens = document["prompt_tokens"]
    length = "" if tokens is None else f", prompts of about {tokens['mean']:,.0f} tokens (longest {tokens['max']:,})"
    return f"{counted(document['records'], 'record')}, {document['bytes']:,} bytes{length}"


def _where(finding: Finding) -> str:
    row = "" if finding.row is None else f", row {finding.row}"
    key = "" if finding.key is None else f", {finding.key}"
    return f"{finding.rule}  {finding.file}{row}{key}"
