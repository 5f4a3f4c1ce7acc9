"""Two judges on the same samples: counts by hand, words, splits and looks, what cannot be compared, bad input."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import data, write_rows, write_rubric
from reporting import Said, labels, refused, rftj, scored, truth_labels

from rftj_cli.kernel.compile import compile_rubric
from rftj_cli.kernel.sample import Sample
from rftj_cli.measure.comparison import Piece
from rftj_cli.measure.prompt_diff import what_changed, word_diff
from rftj_cli.testing import FakeJudgeServer


def rows(count: int, split: str = "dev") -> list[dict[str, Any]]:
    return [{"id": f"s{i}", "prompt": f"task {i}", "response": f"answer {i}", "split": split} for i in range(count)]


def judged_as(folder: Path, name: str, side: list[Any], given: list[dict[str, Any]], **changes: Any) -> Path:
    """A run in which the judge said these levels, each with its own name as the reason."""
    replies = [{"id": row["id"], "text": reply(level, name)} for row, level in zip(given, side, strict=True)]
    changes = {"prompt": {"user": f"{name} judges {{{{ response }}}}"}, **changes}
    return scored(folder, {}, name=name, rows=given, replies=replies, **changes)


def reply(level: Any, name: str) -> str:
    if level is None:
        return f"{name} would rather not say."
    levels = level if isinstance(level, dict) else {"quality": level}
    return json.dumps({id: {"reason": name, "level": one} for id, one in levels.items()})


def two(folder: Path, before: list[str], after: list[str], truth: list[str] | None, **changes: Any) -> list[object]:
    """Arguments that compare two runs with these verdicts."""
    given = rows(len(before))
    runs = [judged_as(folder, name, side, given, **changes) for name, side in (("a", before), ("b", after))]
    found = truth_labels(folder, {f"s{i}": level for i, level in enumerate(truth)}) if truth else None
    return [*runs, *(["--labels", found] if found else [])]


def compared(*arguments: object, code: int = 0) -> dict[str, Any]:
    said = rftj("diff-prompts", *arguments, "--json")
    assert said.code == code, said.err + said.out
    assert said.document["schema"] == "rftj.comparison/1"
    return said.document


def only(document: dict[str, Any]) -> dict[str, Any]:
    (found,) = document["candidates"]
    return found


def flipping(fixed: int, broken: int, right: int, wrong: int) -> tuple[list[str], list[str], list[str]]:
    """Verdicts before and after, and the truth, with these counts."""
    truth = ["pass", "fail"] * (fixed + broken + right + wrong)
    truth = truth[: fixed + broken + right + wrong]
    other = {"pass": "fail", "fail": "pass"}
    before = [other[t] if i < fixed or i >= fixed + broken + right else t for i, t in enumerate(truth)]
    after = [other[t] if fixed <= i < fixed + broken or i >= fixed + broken + right else t for i, t in enumerate(truth)]
    return before, after, truth


def test_what_is_the_same_is_never_shown_as_changed(home: Path) -> None:
    """A column that only one side's file has, spaces inside {{ }}, tokens of fences: nothing of it is a change of the rest."""
    given = rows(4)
    more = [{**row, "excerpt": f"text of {row['id']}"} for row in given]
    text = "Judge the answer.\n\n{{ response | fence('answer') }}\n\n{{ criteria }}"
    old = judged_as(home, "a", ["pass"] * 4, given, prompt={"user": text})
    spaced = text.replace("{{ response | fence('answer') }}", "{{response|fence('answer')}}")
    new = judged_as(home, "b", ["pass"] * 4, more, prompt={"user": spaced + "\n\nThe excerpt:\n{{ excerpt }}"})
    for pair in ((old, new), (new, old)):
        pieces = only(compared(*pair, "--split", "all", code=3))["what"]["prompt"]
        changed = [piece for piece in pieces if piece["what"] != "same"]
        assert [piece["text"].split() for piece in changed] == [["The", "excerpt:", "{{excerpt}}"]]
        same = "".join(piece["text"] for piece in pieces if piece["what"] == "same")
        assert "<answer>\n{{response}}\n</answer>" in same


def test_templates_are_compared_where_one_side_cannot_be_rendered() -> None:
    """Both as templates, with their placeholders written alike."""
    one, other = (
        compile_rubric(data(prompt={"user": user}))
        for user in ("Judge {{ response }}\n{{ criteria }}", "Judge {{response}}\n{{criteria}}\n{{ missing.field }}")
    )
    sample = Sample("s0", {"response": "r"})
    changed = [piece for piece in what_changed(one, other, (sample, sample)).prompt if piece.what != "same"]
    assert [(piece.what, piece.text.strip()) for piece in changed] == [("new", "{{missing.field}}")]


def test_a_change_of_scale_reads_as_text(home: Path) -> None:
    levels = [{"level": "vague", "is": ""}, {"level": "usable", "is": ""}, {"level": "ready", "is": ""}]
    old = judged_as(home, "a", ["pass"] * 4, rows(4))
    new = judged_as(
        home, "b", ["ready"] * 4, rows(4), criteria=[{"id": "quality", "question": "Is it good?", "scale": levels}]
    )
    out = rftj("diff-prompts", old, new, "--split", "all").out
    assert "scale of quality" in out and "pass_fail" in out and "vague | usable | ready" in out and "meaning" not in out


@given(st.text("ab \n", max_size=40), st.text("ab \n", max_size=40))
def test_a_word_diff_spells_both_texts(before: str, after: str) -> None:
    pieces = list(word_diff(before, after))
    assert "".join(p.text for p in pieces if p.what != "new") == before
    assert "".join(p.text for p in pieces if p.what != "gone") == after
    assert all(isinstance(p, Piece) and p.text for p in pieces)


def test_long_prompts_are_compared_at_once() -> None:
    """Twenty thousand words on one line: what is alike at both ends stays, the rest is shown as replaced."""
    before = "same start " + " ".join(f"a{i}" for i in range(20_000)) + " same end"
    after = "same start " + " ".join(f"b{i}" for i in range(20_000)) + " same end"
    pieces = list(word_diff(before, after))
    assert "".join(p.text for p in pieces if p.what != "new") == before
    assert pieces[0].text.startswith("same start") and pieces[-1].text.endswith("same end")


def test_counts_and_words(home: Path) -> None:
    """20 fixed, 2 broken, 30 right, 8 wrong of 60: the difference is .30, mid-p that of 2 of 22, and the word is better."""
    found = only(compared(*two(home, *flipping(20, 2, 30, 8))))
    one = found["criteria"]["quality"]
    assert (one["fixed"], one["broken"], one["right"], one["wrong"]) == (20, 2, 30, 8)
    share = one["numbers"]["agreement"]
    assert share["difference"]["value"] == pytest.approx(0.3)
    assert share["p"]["value"] == pytest.approx(0.0000660, rel=1e-2)
    assert (one["change"]["word"], found["answer"]["on"]) == ("better", "quality")
    assert one["flips"]["value"] == pytest.approx(22 / 60)
    assert sum(one["directions"].values()) == 22
    assert [flip["became"] for flip in found["flips"]][:3] == ["broken", "broken", "fixed"]


def test_the_other_way_round_is_worse(home: Path) -> None:
    assert only(compared(*two(home, *flipping(2, 20, 30, 8))))["answer"]["change"]["word"] == "worse"


def test_few_flips_are_undecided_with_the_labels_that_are_missing(home: Path) -> None:
    """5 fixed and 3 broken of 40: exit 3, and the number of labels that would decide."""
    found = only(compared(*two(home, *flipping(5, 3, 30, 2)), code=3))
    change = found["answer"]["change"]
    assert (change["word"], change["needed"] > 40) == ("undecided", True)
    said = rftj("diff-prompts", "a", "b", "--labels", "labels.jsonl")
    assert "would decide" in said.out and "no significant" not in said.out
    assert "on 40 samples; " in " ".join(said.out.split())  # the n of the difference itself


def test_hardly_any_flip_of_many_is_equivalent(home: Path) -> None:
    assert only(compared(*two(home, *flipping(1, 1, 398, 0))))["answer"]["change"]["word"] == "equivalent"


def test_without_labels_there_are_flips_and_no_word(home: Path) -> None:
    found = only(compared(*two(home, ["pass"] * 10, ["pass"] * 7 + ["fail"] * 3, None), code=3))
    assert (found["answer"], found["criteria"]["quality"]["directions"]) == (None, {"pass -> fail": 3})
    assert "cannot be told" in rftj("diff-prompts", "a", "b").out


def test_a_comparison_on_test_is_a_look_of_each_judge(home: Path) -> None:
    """The second judge widens the intervals to those of the second look; `--frozen` writes nothing."""
    before, after, truth = flipping(20, 2, 30, 8)
    runs = [judged_as(home, name, side, rows(60, "test")) for name, side in (("a", before), ("b", after))]
    file = truth_labels(home, {f"s{i}": level for i, level in enumerate(truth)})
    assert refused("diff-prompts", *runs, "--labels", file)["found"] == "'dev'"
    frozen = compared(*runs, "--labels", file, "--split", "test", "--frozen")
    assert [look["recorded"] for look in frozen["looks"]] == [False, False] and not (
        home / ".rftj" / "ledger.jsonl"
    ).exists()
    document = compared(*runs, "--labels", file, "--split", "test")
    assert [look["number"] for look in document["looks"]] == [1, 2]
    assert document["level"] == pytest.approx(1 - 6 * 0.05 / (3.14159265**2 * 4), abs=1e-6)
    assert len((home / ".rftj" / "ledger.jsonl").read_text().splitlines()) == 2


def test_a_prompt_that_shows_an_evaluated_answer_is_refused(home: Path) -> None:
    """An example in the prompt that is one of the compared responses, whatever its spacing and case."""
    given = rows(4)
    given[2]["response"] = "A long enough answer that somebody pasted\ninto the prompt as an example."
    shown = "An Example: a long enough answer that somebody pasted into the prompt as an example. {{ response }}"
    runs = [
        judged_as(home, "a", ["pass"] * 4, given),
        judged_as(home, "b", ["pass"] * 4, given, prompt={"user": shown}),
    ]
    error = refused("diff-prompts", *runs)
    assert error["found"] == "'s2'" and "train" in error["expected"]
    write_rubric(home, "live.yaml", prompt={"user": shown}, judge={"model": "openai:nobody"})
    before_any_call = refused("diff-prompts", "a", "live.yaml", "--base-url", "http://127.0.0.1:9/v1")
    assert before_any_call["found"] == "'s2'"


def test_one_id_with_two_responses_is_refused(home: Path) -> None:
    given, other = rows(3), rows(3)
    other[1]["response"] = "something else"
    runs = [judged_as(home, name, ["pass"] * 3, side) for name, side in (("a", given), ("b", other))]
    assert refused("diff-prompts", *runs)["found"] == "'s1'"


def test_only_shared_samples_and_scales_are_compared(home: Path) -> None:
    """A criterion with other levels and one that only one side has are named, and not compared."""
    extra = {"id": "tone", "question": "Kind?"}
    one = {"criteria": [{"id": "quality", "question": "Good?"}, extra]}
    other = {
        "criteria": [
            {"id": "quality", "question": "Good?", "scale": {"min": 1, "max": 3}},
            extra,
            {"id": "new", "question": "?"},
        ]
    }
    runs = [
        judged_as(home, "a", [{"quality": "pass", "tone": "pass"}] * 6, rows(6), **one),
        judged_as(home, "b", [{"quality": "2", "tone": "fail", "new": "pass"}] * 4, rows(4), **other),
    ]  # fmt: skip
    document = compared(*runs, code=3)
    found = only(document)
    assert set(found["criteria"]) == {"tone"} and found["criteria"]["tone"]["units"] == 4
    assert [reason.split(":")[0] for reason in found["not_compared"]] == ["quality", "new"]
    assert any("4 of 6 samples" in warning for warning in document["warnings"])


def test_failures_are_left_out_and_the_other_reading_stands_beside(home: Path) -> None:
    before, after, truth = flipping(10, 2, 28, 0)
    after[-5:] = [None] * 5  # type: ignore[list-item]
    document = compared(*two(home, before, after, truth), code=3)
    one = only(document)["criteria"]["quality"]
    assert (one["labelled"], one["fixed"], one["broken"]) == (35, 10, 2)
    assert one["failures_wrong"]["difference"]["value"] == pytest.approx((10 - 2 - 5) / 40)
    assert any("without a verdict, left out of its numbers: 5 of 40" in warning for warning in document["warnings"])
    assert "not if failures count as wrong" in one["change"]["why"]


def test_a_better_reward_with_failures_is_no_better_reward(home: Path) -> None:
    """Pairs with a failed answer count as wrong in the other reading, and take the word."""
    given = [
        {"id": f"s{i}", "group": f"g{i // 2}", "prompt": f"t{i // 2}", "response": f"r{i}", "split": "dev"}
        for i in range(360)
    ]
    truth = ["pass" if i % 2 else "fail" for i in range(360)]
    turned = {"pass": "fail", "fail": "pass"}
    before = [turned[t] if i % 7 == 1 else t for i, t in enumerate(truth)]
    after = [None if i % 3 == 0 else t for i, t in enumerate(truth)]
    judged_as(home, "a", before, given)
    judged_as(home, "b", after, given)
    file = truth_labels(home, {f"s{i}": t for i, t in enumerate(truth)})
    found = only(compared("a", "b", "--labels", file, code=3))
    assert (found["answer"]["on"], found["answer"]["change"]["word"]) == ("reward", "undecided")
    assert found["reward"]["pair_accuracy"]["difference"]["low"] > 0 > found["reward"]["failures_wrong"]["high"]


def test_words_of_several_candidates_are_held_by_holm(home: Path) -> None:
    """A p of .039 alone is better; beside another candidate of the same p it is not."""
    before, after, truth = flipping(7, 1, 32, 0)
    arguments = two(home, before, after, truth)
    alone = only(compared(*arguments))
    assert alone["answer"]["change"]["word"] == "better" and alone["answer"]["p_holm"] is None
    again = judged_as(home, "c", after, rows(40))
    document = compared("a", "b", again, "--labels", "labels.jsonl", "--baseline", "a", code=3)
    for one in document["candidates"]:
        assert one["answer"]["p_holm"] == pytest.approx(
            2 * one["criteria"]["quality"]["numbers"]["agreement"]["p"]["value"]
        )
        assert one["answer"]["change"]["word"] == "undecided" and "Holm over 2" in one["answer"]["change"]["why"]


def test_a_repeat_run_shows_what_is_noise(home: Path) -> None:
    """A judge that differs from itself on 10 of 40 samples: a candidate with as many flips is no more than noise."""
    before, after, truth = flipping(5, 5, 30, 0)
    arguments = two(home, before, after, truth)
    repeat = judged_as(home, "again", after, rows(40), prompt={"user": "a judges {{ response }}"})
    noise = only(compared(*arguments, "--repeat", repeat, code=3))["criteria"]["quality"]["noise"]
    assert noise["within"] and noise["before"]["value"] == pytest.approx(0.25) and noise["after"] is None
    assert "noise" in rftj("diff-prompts", *arguments, "--repeat", repeat).out


def test_the_best_of_what_was_tried_is_shown_with_its_luck(home: Path) -> None:
    """All judges in the folder count as tried, a repeat only once; the best of equal coins is lucky."""
    import numpy as np

    rng = np.random.default_rng(7)
    truth = ["pass" if x else "fail" for x in rng.random(60) < 0.5]
    for index in range(6):
        verdicts = [
            t if right else ("fail" if t == "pass" else "pass")
            for t, right in zip(truth, rng.random(60) < 0.7, strict=True)
        ]
        judged_as(home, f"r{index}", verdicts, rows(60))
    file = truth_labels(home, {f"s{i}": level for i, level in enumerate(truth)})
    said = rftj("diff-prompts", "r0", "r1", "--labels", file, "--json")
    best = said.document["best"]["quality"]
    assert len(best["tried"]) == 6
    luck = best["optimism"]
    assert 0.03 < luck["optimism"]["value"] < 0.3
    assert luck["corrected"]["value"] == pytest.approx(luck["apparent"]["value"] - luck["optimism"]["value"])


def test_sides_from_git_and_sides_without_verdicts_are_judged(home: Path, server: FakeJudgeServer) -> None:
    """HEAD's rubric against the one on disk, each with its prompt file: both are judged, on dev alone."""
    (home / "prompt.md").write_text("old words about {{ response }}")
    write_rubric(home, prompt={"file": "prompt.md"})
    samples = write_rows(home / "samples.jsonl", [*rows(3), {**rows(9)[8], "split": "test"}])
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=n", "-c", "user.email=e@x", "commit", "-qm", "one"],
    ):
        subprocess.run(["git", *command], check=True)
    (home / "prompt.md").write_text("new words about {{ response }}")
    document = compared("HEAD:rubric.yaml", "rubric.yaml", samples, "--base-url", server.base_url, code=3)
    words = [(piece["what"], piece["text"]) for piece in only(document)["what"]["prompt"][:2]]
    assert words == [("gone", "old"), ("new", "new")]
    asked = [body["messages"][-1]["content"].split()[0] for body in server.bodies]
    assert sorted(asked) == ["new"] * 3 + ["old"] * 3
    assert document["samples"] == 3
    before = len(server.bodies)
    compared("HEAD:rubric.yaml", "rubric.yaml", samples, "--base-url", server.base_url, code=3)
    assert len(server.bodies) == before


def test_wrong_labels_are_named_before_a_call_is_paid(home: Path, server: FakeJudgeServer) -> None:
    """Labels of the other side's criteria are passed over; a criterion that neither has is an error at once."""
    write_rubric(home, "a.yaml", prompt={"user": "a {{ response }}"})
    write_rubric(
        home,
        "b.yaml",
        prompt={"user": "b {{ response }}"},
        criteria=[{"id": "quality", "question": "Good?"}, {"id": "tone", "question": "Kind?"}],
    )
    samples = write_rows(home / "samples.jsonl", rows(4))
    wrong = labels(home, [{"id": "s0", "criterion": "tune", "value": "pass"}])
    arguments = ["diff-prompts", "a.yaml", "b.yaml", samples, "--base-url", server.base_url, "--labels"]
    assert refused(*arguments, wrong)["found"] == "'tune'" and not server.bodies
    fine = labels(home, [{"id": "s0", "criterion": id, "value": "pass"} for id in ("quality", "tone")], "fine.jsonl")
    said = rftj(*arguments, fine, "--json")
    assert said.code in (0, 3) and len(server.bodies) == 8


def test_settings_say_what_they_can_change(home: Path) -> None:
    runs = [
        judged_as(home, name, ["pass"], rows(1), prompt={"user": "{{ response }}"}, criteria=[{"id": "quality", "question": "Is it good?", "weight": weight}],
               judge={"model": "replay:recorded", "max_tokens": tokens})
        for name, weight, tokens in (("a", 1, 100), ("b", 2, 200))
    ]  # fmt: skip
    found = {one["key"]: one["effect"] for one in only(compared(*runs, code=3))["what"]["settings"]}
    assert found == {"judge.max_tokens": "verdicts", "criteria.quality.weight": "reward"}


def test_pages_and_logs_hold_no_markup_and_ci_no_text(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTML of a sample is escaped in the page; in CI nothing of a sample or a reason is shown."""
    given = rows(4)
    for row in given:
        row["response"] = f"<script>alert({row['id']!r})</script> \x1b[31mred"
    texts = [
        [
            {"id": f"s{i}", "text": json.dumps({"quality": {"reason": f"<b>{name}</b>", "level": level}})}
            for i in range(4)
        ]
        for name, level in (("a", "pass"), ("b", "fail"))
    ]
    for name, replies in zip("ab", texts, strict=True):
        scored(home, {}, name=name, rows=given, replies=replies, prompt={"user": f"{name} {{{{ response }}}}"})
    said = rftj("diff-prompts", "a", "b", "--html", "page.html")
    page = (home / "page.html").read_text()
    assert "&lt;b&gt;a&lt;/b&gt;" in page and "<script" not in page and "\x1b" not in page + said.out
    assert "default-src 'none'" in page
    monkeypatch.setenv("CI", "1")
    quiet = rftj("diff-prompts", "a", "b", "--full")
    assert "alert" not in quiet.out and "<b>" not in quiet.out
    assert "alert" not in json.dumps(compared("a", "b", code=3)["candidates"])


BAD = [
    (["a"], "two sides"),
    (["a", "nowhere.yaml"], "no such rubric"),
    (["a", "HEAD~9:rubric.yaml"], "no such git revision"),
    (["a", "b", "--split", "tset"], "unknown split"),
    (["a", "b", "--margin", "2"], "bad margin"),
    (["a", "b", "--on", "qality"], "no such criterion"),
    (["a", "b", "--baseline", "c"], "the baseline is none"),
    (["a", "b", "--by", "domian"], "--by: no sample has such a field"),
    (["a", "b", "--repeat", "c"], "no such run"),
    (["a.yaml", "b.yaml"], "which samples?"),
    (["a", "pairs.yaml", "a.jsonl"], "cannot be compared"),
]


@pytest.mark.parametrize(("arguments", "problem"), BAD, ids=[problem for _, problem in BAD])
def test_bad_input_is_named(arguments: list[str], problem: str, home: Path) -> None:
    two(home, ["pass", "fail"], ["pass", "pass"], ["pass", "fail"])
    write_rubric(
        home, "pairs.yaml", kind="preference", criteria=None, prompt={"user": "{{ response_a }}{{ response_b }}"}
    )
    more = [] if "--labels" in arguments else ["--labels", "labels.jsonl"]
    assert problem in refused("diff-prompts", *arguments, *more)["problem"]


def test_the_same_seed_gives_the_same_bytes(home: Path) -> None:
    arguments = two(home, *flipping(9, 4, 30, 2))
    seen: list[Said] = [rftj("diff-prompts", *arguments, "--json", "--seed", 3) for _ in range(2)]
    assert seen[0].out == seen[1].out


def test_pairs_are_compared_by_credit(home: Path) -> None:
    """A tie is half right; pairs whose label is a tie do not count for pair accuracy."""
    given = [
        {"id": f"s{i}", "prompt": f"t{i}", "response_a": f"a{i}", "response_b": f"b{i}", "split": "dev"}
        for i in range(12)
    ]
    changes: dict[str, Any] = {"kind": "preference", "criteria": None, "orders": "given"}
    for name, level in (("a", "B"), ("b", "tie")):
        replies = [{"id": f"s{i}", "text": json.dumps({"preference": level})} for i in range(12)]
        scored(
            home,
            {},
            name=name,
            rows=given,
            replies=replies,
            prompt={"user": f"{name} {{{{ response_a }}}} {{{{ response_b }}}}"},
            **changes,
        )
    file = labels(home, [{"id": f"s{i}", "value": "A" if i < 10 else "tie"} for i in range(12)])
    one = only(compared("a", "b", "--labels", file))["criteria"]["preference"]
    accuracy = one["numbers"]["pair_accuracy"]
    assert (accuracy["difference"]["value"], accuracy["difference"]["n"]) == (0.5, 10)
    assert one["decides"] == "pair_accuracy"
