"""The documentation is run: outputs, help, options, links and names that it gives are the real ones."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from pages import DOCS, HELP, PAGES, ROOT, Folder, blocks, commands, difference, help_of, normal, same, steps

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_page_runs(page: Path, tmp_path: Path) -> None:
    """Every console block prints what the page shows, and every rubric example is valid."""
    folder, faults = Folder(tmp_path.resolve()), []
    for block in blocks(prose(page)):
        if block.language != "console":
            fault = folder.prepare(block)
            faults += [f"{block.text}\n{fault}"] if fault else []
            continue
        for step in steps(block.text):
            real = folder.run(step.command)
            if not same(step.shown, real):
                faults.append(f"$ {step.command}\n{difference(step.shown, real)}")
    assert not faults, "\n\n".join([*faults, "`make docs` writes the real outputs"])


@pytest.mark.parametrize("group", commands())
def test_command_has_its_page(group: str) -> None:
    """Every command has a page with its current help, and every option of it stands there."""
    page = prose(DOCS / "commands" / f"{group}.md")
    shown = {match.group(1): match.group(0) for match in HELP.finditer(page)}
    for command in commands()[group]:
        assert shown.get(command) == help_of(command), "stale help: `make docs`"
        for option in re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", help_of(command), re.MULTILINE):
            assert option in page, option


def test_no_page_without_a_command() -> None:
    """A page of a command that is gone goes too."""
    assert {page.stem for page in (DOCS / "commands").glob("*.md")} == set(commands())


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", prose(page), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links(page: Path) -> None:
    """Every link between pages leads to a file, and to a heading of it."""
    text = re.sub(r"^```.*?^```$", "", prose(page), flags=re.MULTILINE | re.DOTALL)
    for target in LINK.findall(text):
        if re.match(r"https?://|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_every_page_can_be_reached() -> None:
    """The index links to every page."""
    linked = {(DOCS / target.partition("#")[0]).resolve() for target in LINK.findall(prose(DOCS / "index.md"))}
    assert {page for page in DOCS.rglob("*.md") if page.name != "index.md"} <= linked


def test_every_estimate_is_explained() -> None:
    """The names that reports print stand in docs/statistics.md."""
    from rftj_cli.stats.agreement import agreement
    from rftj_cli.stats.numeric import numeric_agreement

    tables = {"binary": 2, "nominal": 3, "ordinal": 3, "preference": 3}
    names = {one for kind, k in tables.items() for one in agreement(np.eye(k) * 9 + 1, kind=kind)}  # type: ignore[arg-type]
    names |= set(numeric_agreement([1.0, 2.0, 3.0], [1.0, 3.0, 2.0]))
    names |= {"coverage", "flips", "pair_accuracy_by_group", "tie_rate", "reply_accuracy", "order_agreement"}
    names |= {
        "agreement_failures_wrong",
        "agreement_failures_tie",
        "macro_f1_failures_tie",
        "first_place_wins",
        "primacy",
    }
    names |= {"reply_accuracy_failures_wrong", "order_agreement_failures_included"}
    names |= {"kendall_tau_b_by_group", "top_1", "top_1_strict"}
    page = prose(DOCS / "statistics.md")
    assert not [one for one in sorted(names) if f"`{one}`" not in page]


def test_every_key_is_explained() -> None:
    """The keys of a rubric, the types of checks and the columns of labels stand in their pages."""
    from rftj_cli.kernel import checks, rubric, sample

    page = prose(DOCS / "rubric.md")
    kinds = (rubric.Criterion, rubric.Prompt, rubric.JudgeSettings, rubric.Parse, rubric.Items)
    keys = {field.name for kind in kinds for field in dataclasses.fields(kind)} | set(checks._TYPES)
    keys |= {
        "name",
        "kind",
        "description",
        "orders",
        "range",
        "combine",
        "on_failure.service",
        "on_failure.content",
        "level",
        "is",
        "value",
        "step",
    }
    assert not [one for one in sorted(keys) if f"`{one}`" not in page and f".{one}`" not in page]
    labels = prose(DOCS / "samples-and-labels.md")
    keys = {field.name for field in dataclasses.fields(sample.Label)} | {
        *sample.STANDARD,
        *sample.RESERVED,
        *sample.SPLITS,
    }
    assert not [one for one in sorted(keys) if f"`{one}`" not in labels]


def test_every_fault_and_backend_is_explained() -> None:
    """The names of judge backends and of the fake server's faults stand in their pages."""
    from rftj_cli.judges import _TABLE
    from rftj_cli.testing.faults import NAMES

    assert not [one for one in _TABLE if f"`{one}`" not in prose(DOCS / "judges.md")]
    assert not [one for one in NAMES if f"`{one}`" not in prose(DOCS / "testing.md")]


def test_what_a_run_keeps_of_a_command_is_explained() -> None:
    """The keys of a history entry, and of what was learned, stand in docs/running.md."""
    from rftj_cli.running.account import Silent, Tally

    keys = {*Tally(0, Silent()).document(1.0), "at", "source", "limiter", "accepted", "tokens", "rates"}
    assert not [one for one in sorted(keys) if f"`{one}`" not in prose(DOCS / "running.md")]


def test_no_page_tells_of_a_machine() -> None:
    """No page names a folder of the machine on which it was written."""
    for page in PAGES:
        assert not re.search(r"/(work|home|root|tmp|Users|var)/\w", prose(page)), page


@pytest.mark.parametrize(
    ("shown", "real", "alike"),
    [
        (["a", "...", "d"], ["a", "b", "c", "d"], True),
        (["...", "c"], ["a", "b", "c"], True),
        (["a", "...", "c", "...", "e"], ["a", "c", "d", "e"], True),
        (["a", "...", "x", "...", "e"], ["a", "c", "d", "e"], False),
        (["a", "..."], ["b"], False),
        (["0.1 s and 3 min 05 s"], ["12 s and 0.4 s"], True),
        (["rftj 0.1.0"], ["rftj 2.0.0"], True),
        (["144 samples"], ["143 samples"], False),
    ],
)
def test_comparison(shown: list[str], real: list[str], alike: bool) -> None:
    """Lines left out and times do not count; figures do."""
    assert same(shown, real) is alike


def test_normal_keeps_figures() -> None:
    """Only times, dates, versions and ports are replaced."""
    assert normal("kappa .61 [.48, .72], 144 samples, $0.12  ") == "kappa .61 [.48, .72], 144 samples, $0.12"
    assert (
        normal("at http://127.0.0.1:4711 since 2026-11-01T10:00:00+00:00") == "at http://127.0.0.1:<port> since <date>"
    )
