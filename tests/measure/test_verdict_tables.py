"""`--table`: verdicts made elsewhere. The levels are found or named, nothing is guessed, dropped or counted twice."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas
import pytest
from reporting import calibrated, refused, scored, succeed

Pairs = Sequence[tuple[Any, Any]]


def write(home: Path, pairs: Pairs, name: str = "table.csv", **more: Sequence[Any]) -> Path:
    """A table of (human, judge) rows."""
    frame = pandas.DataFrame({"human": [h for h, _ in pairs], "judge": [j for _, j in pairs], **more})
    path = home / name
    if name.endswith(".csv"):
        frame.to_csv(path, index=False)
    elif name.endswith(".parquet"):
        frame.to_parquet(path, index=False)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in frame.to_dict("records")))
    return path


def measured(path: Path, *options: object) -> dict[str, Any]:
    return calibrated("--table", path, "--judge", "judge", "--human", "human", *options)


def human(report: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = report["criteria"]["human"]
    return found


def wrong(path: Path, *options: object) -> dict[str, Any]:
    return refused("calibrate", "--table", path, "--judge", "judge", "--human", "human", *options)


def rounded(value: Any) -> Any:
    """The same document up to the rounding of sums taken in another order."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(value, 9) if isinstance(value, float) else value


INFERRED: list[tuple[str, Pairs, tuple[str, ...], str, list[str]]] = [
    ("fail and pass", [("fail", "pass"), ("pass", "pass")], (), "pass_fail", ["fail", "pass"]),
    ("no and yes", [("yes", "no"), ("no", "no")], (), "pass_fail", ["no", "yes"]),
    ("case aside", [("Yes", "NO"), ("No", "yes")], (), "pass_fail", ["No", "Yes"]),
    ("one class of a pair", [("pass", "pass"), ("pass", "fail")], (), "pass_fail", ["fail", "pass"]),
    ("0 and 1", [(1, 0), (0, 0)], (), "pass_fail", ["0", "1"]),
    ("only 1", [(1, 1), (1, 1)], (), "pass_fail", ["0", "1"]),
    ("ratings", [(1, 2), (10, 9), (2, 2)], (), "numeric", ["1", "2", "9", "10"]),
    ("1 and 1.0", [("1.0", "1"), ("2", "2.0"), ("3", "3")], (), "numeric", ["1", "2", "3"]),
    ("A, B and tie", [("A", "B"), ("tie", "A")], (), "preference", ["A", "tie", "B"]),
    ("words", [("red", "blue"), ("blue", "green"), ("green", "red")], (), "nominal", ["blue", "green", "red"]),
    ("--levels", [("low", "mid"), ("top", "top")], ("--levels", "low,mid,top"), "levels", ["low", "mid", "top"]),
    ("--levels of two", [("ok", "bad"), ("bad", "bad")], ("--levels", "bad,ok"), "pass_fail", ["bad", "ok"]),
    ("--positive", [("spam", "ham"), ("ham", "ham")], ("--positive", "ham"), "pass_fail", ["spam", "ham"]),
]


@pytest.mark.parametrize(
    ("pairs", "options", "scale", "levels"), [c[1:] for c in INFERRED], ids=[c[0] for c in INFERRED]
)
def test_the_levels_are_found(
    home: Path, pairs: Pairs, options: tuple[str, ...], scale: str, levels: list[str]
) -> None:
    one = human(measured(write(home, pairs), *options))
    assert (one["scale"], one["levels"]) == (scale, levels)
    places = {level.casefold(): index for index, level in enumerate(levels)}
    expected = [[0] * len(levels) for _ in levels]
    for truth, judge in pairs:
        expected[_place(places, truth)][_place(places, judge)] += 1
    assert one["table"] == expected


def _place(places: dict[str, int], value: Any) -> int:
    return places[str(value).casefold().removesuffix(".0")]


def test_many_fractions_are_a_continuous_score(home: Path) -> None:
    chance = random.Random(1)
    pairs = [(x := chance.random(), x + chance.gauss(0, 0.1)) for _ in range(60)]
    one = human(measured(write(home, pairs)))
    assert one["scale"] == "continuous" and one["table"] == []
    assert one["estimates"]["pearson"]["value"] > 0.8 and one["estimates"]["mae"]["value"] == pytest.approx(
        sum(abs(h - j) for h, j in pairs) / 60
    )


def test_missing_labels_are_counted_not_dropped_in_silence(home: Path) -> None:
    pairs = [("pass", "pass")] * 6 + [("fail", "fail")] * 4 + [(None, "pass")] * 5 + [("pass", None)] * 2
    report = measured(write(home, pairs))
    assert report["counts"] | {"samples": 17, "judged": 15, "failed": 2, "labelled": 12, "used": 10} == report["counts"]
    assert "rows without a label, left out: 5 of 17" in report["warnings"]
    assert human(report)["failed"] == 2
    assert any("2 of 12 labelled rows have no verdict" in text for text in report["warnings"])
    assert human(report)["estimates"]["agreement_failures_wrong"]["value"] == pytest.approx(10 / 12)


def test_cannot_tell_is_no_level_of_a_table(home: Path) -> None:
    report = measured(write(home, [("pass", "pass"), ("fail", "fail"), ("cannot_tell", "pass")]))
    assert human(report)["levels"] == ["fail", "pass"]
    assert human(report)["cannot_tell"] == 1 and report["counts"]["used"] == 2


MISSING = ["NaN", "null", "N/A", "None", "NA", "-", "?", "skip", "empty", "<NA>", "\u2013"]


@pytest.mark.parametrize("word", MISSING)
@pytest.mark.parametrize(("low", "high"), [("fail", "pass"), ("1", "2"), ("red", "blue"), ("0.25", "0.75")])
def test_a_word_for_a_missing_value_is_asked_about(home: Path, word: str, low: str, high: str) -> None:
    """It never becomes a level: not among words, not among numbers, neither of the labels nor of the judge."""
    path = home / "table.csv"
    path.write_text(f"human,judge\n{high},{high}\n{low},{low}\n{word},{high}\n")
    error = wrong(path)
    assert (error["row"], error["key"], error["found"]) == (4, "human", repr(word)) and "empty" in error["hint"]
    assert error["problem"] == "is this a label, or none?"
    path.write_text(f"human,judge\n{high},{high}\n{low},{low}\n{high},{word}\n")
    error = wrong(path)
    assert (error["row"], error["key"], error["found"]) == (4, "judge", repr(word))
    assert error["problem"] == "is this a verdict, or none?" and "--no-verdict" in error["hint"]
    assert human(measured(path, "--no-verdict", word))["failed"] == 1


def test_the_answer_to_the_question_is_a_value(home: Path) -> None:
    """`--values None=` says that it is none, `--values None=None` that it is a level, `--levels` names all levels."""
    path = write(home, [("pass", "pass"), ("fail", "fail"), ("None", "pass"), ("none", "fail")])
    none = measured(path, "--values", "None=")
    assert human(none)["table"] == [[1, 0], [0, 1]] and none["counts"]["labelled"] == 2
    assert human(measured(path, "--values", "None=none"))["levels"] == ["fail", "none", "pass"]
    assert human(measured(path, "--levels", "none,fail,pass"))["table"] == [[0, 1, 1], [0, 1, 0], [0, 0, 1]]


def test_a_word_among_numbers_is_asked_about(home: Path) -> None:
    """One word makes no ratings of 1 to 5 names without an order."""
    pairs = [(str(i % 5 + 1), i % 5 + 1) for i in range(20)]
    error = wrong(write(home, [*pairs, ("both bad", 1)]))
    assert (error["row"], error["found"], error["problem"]) == (22, "'both bad'", "is this a label, or none?")
    one = human(measured(write(home, [*pairs, ("both bad", 1)]), "--values", "both bad=1"))
    assert (one["scale"], one["levels"]) == ("numeric", ["1", "2", "3", "4", "5"])


@pytest.mark.parametrize("text", ["1_0", "\uff11\uff10", "\u0661\u0660", "0x10", "1e", "inf"])
def test_what_only_python_reads_as_a_number_is_none(home: Path, text: str) -> None:
    pairs = [(str(i % 3 + 1), i % 3 + 1) for i in range(9)]
    assert wrong(write(home, [*pairs, (text, 1)]))["found"] == repr(text)
    assert wrong(write(home, [*pairs, (1, text)]))["found"] == repr(text)


def test_levels_without_an_order_are_said_on_the_first_screen(home: Path) -> None:
    path = write(home, [("maybe", "maybe"), ("yes", "yes"), ("no", "maybe")])
    said = " ".join(succeed("calibrate", "--table", path, "--judge", "judge", "--human", "human").out.split())
    assert "the levels maybe, no, yes have no known order" in said and "--levels WORST,...,BEST" in said
    ordered = measured(path, "--levels", "no,maybe,yes")
    assert not any("order" in text for text in ordered["warnings"]) and "kappa_quadratic" in human(ordered)["estimates"]


def test_decimal_commas_are_numbers(home: Path) -> None:
    path = home / "table.csv"
    path.write_text("human;judge\n3,5;3,5\n1,0;2\n2;2\n4,25;1,0\n")
    error = refused("calibrate", "--table", path, "--judge", "judge", "--human", "human")
    assert "semicolons" in error["problem"] and "--delimiter" in error["hint"]
    report = measured(path, "--delimiter", ";")
    assert human(report)["levels"] == ["1", "2", "3.5", "4.25"] and human(report)["scale"] == "numeric"
    assert any("decimal commas" in text and "human, judge" in text for text in report["warnings"])
    quoted = home / "quoted.csv"
    quoted.write_text('human,judge\n"3,5",3.5\n"1,0",2\n2,2\n"4,25",1.0\n')
    assert human(measured(quoted))["table"] == human(report)["table"]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (["1,000", "2,500", "3"], "is this a decimal comma, or does it separate thousands?"),
        (["1,5", "2.5", "3"], "decimal points and decimal commas in one column"),
        (["1,000,000", "2,5", "3,5"], "is this a label, or none?"),
    ],
)
def test_commas_that_may_mean_two_things_are_not_guessed(home: Path, values: list[str], problem: str) -> None:
    error = wrong(write(home, [(value, 1) for value in values]))
    assert error["problem"] == problem and error["key"] == "human"
    assert error["row"] == (3 if "points" in problem else 2)


def test_values_of_one_side_are_mapped(home: Path) -> None:
    """What the judge calls by another name is no failure: no message says so."""
    pairs = [("pass", "PASSED"), ("fail", "0"), ("pass", "PASSED"), ("fail", "PASSED")]
    error = wrong(write(home, pairs))
    assert "--values PASSED=LEVEL" in error["hint"] and "--no-verdict" not in error["hint"]
    report = measured(write(home, pairs), "--values", "passed=pass,0=fail")
    assert human(report)["table"] == [[1, 1], [0, 2]] and report["counts"]["failed"] == 0
    error = wrong(write(home, pairs), "--values", "pased=pass")
    assert error["found"] == "'pased'" and "passed" in error["hint"]
    rating = [(str(i % 4 + 1), i % 4 + 1) for i in range(60)]
    said = measured(write(home, [*rating, ("4", 7)]))["warnings"]
    assert any("7" in text and "--values" in text for text in said) and not any("--no-verdict" in text for text in said)


def test_disagreements_carry_the_ids_of_their_rows(home: Path) -> None:
    pairs = [("pass", "pass"), ("fail", "pass"), ("fail", "fail"), ("pass", "fail")]
    ids, keys = ["a", "b", "c", ""], ["k1", "k2", "k3", "k4"]
    for name in ("t.csv", "t.jsonl", "t.parquet"):
        path = write(home, pairs, name, id=ids, key=keys)
        last = "row 5" if name == "t.csv" else "row 4"
        assert [one["sample"] for one in measured(path)["disagreements"]] == ["b", last]
        assert [one["sample"] for one in measured(path, "--id", "key")["disagreements"]] == ["k2", "k4"]
        assert "kye" in wrong(path, "--id", "kye")["message"]
        assert [one["sample"] for one in measured(path, "--id", "id", "--group", "id")["disagreements"]] == ["b", last]


def test_several_judges_are_each_measured(home: Path) -> None:
    pairs = [("pass", "pass"), ("fail", "pass"), ("fail", "fail"), ("pass", "fail")] * 10
    other = ["pass", "fail", "fail", None] * 10
    path = write(home, pairs, other=other, part=["x", "y"] * 20)
    both = calibrated(
        "--table", path, "--judge", "judge", "--judge", "other", "--human", "human", "--by", "part", "--group", "part"
    )
    assert list(both["criteria"]) == ["judge", "other"] == both["run"]["judge"] and both["run"]["human"] == "human"
    for name in ("judge", "other"):
        alone = calibrated(
            "--table", path, "--judge", name, "--human", "human", "--by", "part", "--group", "part", "--seed", "0"
        )
        own = {**human(alone), "id": name}
        assert both["criteria"][name] == own
        assert both["trust"][name] == alone["trust"]["human"]
        assert {v: one[name] for v, one in both["slices"]["part"].items()} == {
            v: one["human"] for v, one in alone["slices"]["part"].items()
        }
    assert both["counts"]["judged"] == 30 and both["counts"]["used"] == 30
    assert any("not all on the same ones: judge 40, other 30" in text for text in both["warnings"])
    out = succeed("calibrate", "--table", path, "--judge", "judge", "--judge", "other", "--human", "human").out
    assert "\njudge  passes 10 of 20" in out and "\nother  passes 0 of 20" in out
    same = refused("calibrate", "--table", path, "--judge", "judge", "--judge", "judge", "--human", "human")
    assert "the same column twice" in same["problem"]


RATED = [
    ("pass", "pass", "fail", "pass"), ("fail", "fail", "fail", "pass"), ("fail", "pass", "", "fail"),
    ("", "", "pass", "pass"), ("cannot_tell", "pass", "pass", "fail"), ("", "", "", "fail"),
]  # fmt: skip


def test_several_raters_are_a_run_with_several_raters(home: Path) -> None:
    """The truth is their strict majority, and what they say of each other is what a run would say."""
    rows = [*RATED * 6]
    frame = pandas.DataFrame(rows, columns=["r1", "r2", "r3", "judge"])
    frame.to_csv(home / "t.csv", index=False)
    report = calibrated("--table", home / "t.csv", "--judge", "judge", *(f"--human=r{i}" for i in (1, 2, 3)))
    one = report["criteria"]["judge"]
    assert (report["truth"], report["counts"]["raters"], report["counts"]["used"]) == ("majority", 3, 24)
    assert one["table"] == [[0, 6], [6, 12]] and (one["undecided"], one["cannot_tell"]) == (6, 6)
    assert any("their raters differ and nothing decides" in text for text in report["warnings"])
    run = scored(home, {f"s{i}": row[3] for i, row in enumerate(rows)})
    labels = [
        {"id": f"s{i}", "rater": f"r{place + 1}", "value": value}
        for i, row in enumerate(rows)
        for place, value in enumerate(row[:3])
        if value
    ]
    (home / "l.jsonl").write_text("".join(json.dumps(label) + "\n" for label in labels))
    other = calibrated(run, "--labels", home / "l.jsonl")["criteria"]["quality"]
    assert rounded(one["raters"]) == rounded(other["raters"]) and one["raters"] is not None
    assert one["table"] == other["table"] and one["undecided"] == other["undecided"]


def test_several_raters_of_ordered_levels_and_of_scores(home: Path) -> None:
    rows = [(1, 2, 5, 2), (1, 2, None, 1), (3, 3, None, 3), (None, None, None, 3)]
    pandas.DataFrame(rows, columns=["r1", "r2", "r3", "judge"]).to_csv(home / "t.csv", index=False)
    options = ("--judge", "judge", "--human", "r1", "--human", "r2", "--human", "r3")
    one = calibrated("--table", home / "t.csv", *options)["criteria"]["judge"]
    assert one["levels"] == ["1", "2", "3", "5"] and one["undecided"] == 1
    assert one["table"] == [[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    many = [(i / 100, (i + 2) / 100, None if i % 2 else (i + 10) / 100, i / 100) for i in range(50)]
    pandas.DataFrame(many, columns=["r1", "r2", "r3", "judge"]).to_csv(home / "s.csv", index=False)
    one = calibrated("--table", home / "s.csv", *options)["criteria"]["judge"]
    assert one["scale"] == "continuous" and one["estimates"]["bias"]["value"] == pytest.approx(-0.015)


@pytest.mark.parametrize("name", ["table.csv", "table.jsonl", "table.parquet"])
def test_a_verdict_that_is_no_level_is_named_with_its_row(home: Path, name: str) -> None:
    path = write(home, [("pass", "pass"), ("fail", "fail"), ("pass", "unsure"), ("pass", "unsure")], name)
    error = wrong(path)
    assert error["row"] == (4 if name.endswith(".csv") else 3)
    assert (error["key"], error["found"]) == ("judge", "'unsure'")
    assert "2 rows" in error["problem"] and "fail, pass" in error["expected"] and "--values" in error["hint"]
    report = measured(path, "--no-verdict", "unsure")
    assert human(report)["table"] == [[1, 0], [0, 1]] and human(report)["failed"] == 2


def test_the_order_of_rows_and_the_format_change_nothing(home: Path) -> None:
    chance = random.Random(5)
    pairs = [(chance.choice("123"), chance.choice("123")) for _ in range(90)]
    groups = [f"g{i % 30}" for i in range(90)]
    order = chance.sample(range(90), 90)
    files = [write(home, pairs, name, group=groups) for name in ("t.csv", "t.jsonl", "t.parquet")]
    files.append(write(home, [pairs[i] for i in order], "mixed.csv", group=[groups[i] for i in order]))
    reports = [rounded(measured(file, "--group", "group")["criteria"]) for file in files]
    assert all(report == reports[0] for report in reports[1:])


def test_a_csv_with_a_byte_order_mark_newlines_and_quotes(home: Path) -> None:
    path = home / "table.csv"
    text = '\ufeffhuman,text,judge\r\npass,"two\nlines, and ""quotes""",pass\r\nfail,"",pass\r\nfail,x,fail\r\n'
    path.write_bytes(text.encode())
    assert human(measured(path))["table"] == [[1, 1], [0, 1]]


@pytest.mark.parametrize(("column", "option"), [("humn", "--human"), ("jugde", "--judge"), ("grp", "--group")])
def test_a_missing_column_is_named_with_the_nearest(home: Path, column: str, option: str) -> None:
    path = write(home, [("pass", "pass"), ("fail", "fail")], group=["a", "b"])
    columns = {"--human": "human", "--judge": "judge", option: column}
    error = refused("calibrate", "--table", path, *(word for pair in columns.items() for word in pair))
    assert error["key"] == column and "human, judge, group" in error["expected"]
    assert error["file"] == str(path)


def test_groups_widen_intervals_and_give_pairs(home: Path) -> None:
    pairs = [("pass", "pass"), ("pass", "pass"), ("fail", "fail"), ("fail", "pass")] * 10
    path = write(home, pairs, group=[f"g{i // 4}" for i in range(40)])
    plain, grouped = human(measured(path))["estimates"], human(measured(path, "--group", "group"))["estimates"]
    assert "pair_accuracy" not in plain
    # In each group 2 x 2 pairs: (pass, pass) against (fail, fail) right, against (fail, pass) tied.
    assert grouped["pair_accuracy"]["value"] == pytest.approx(0.75) and grouped["pair_accuracy"]["n"] == 40
    assert grouped["agreement"]["value"] == plain["agreement"]["value"]


def test_rows_without_a_group_stand_alone_and_are_counted(home: Path) -> None:
    """An empty cell is a missing value: twenty of them are not one cluster."""
    pairs = [("pass", "pass"), ("fail", "fail"), ("pass", "fail"), ("fail", "pass")] * 10
    some = measured(write(home, pairs, group=[None] * 20 + [f"g{i // 2}" for i in range(20)]), "--group", "group")
    named = measured(
        write(home, pairs, group=[f"own{i}" for i in range(20)] + [f"g{i // 2}" for i in range(20)]), "--group", "group"
    )
    assert some["counts"]["clusters"] == 30 == named["counts"]["clusters"]
    assert human(some)["estimates"] == human(named)["estimates"]
    assert "rows without a group: 20; each is a group of its own" in some["warnings"]
    assert not any("without a group" in text for text in named["warnings"])


def test_a_value_that_means_no_verdict_may_be_a_label(home: Path) -> None:
    """`--no-verdict fail`: what the judge calls fail is a failure, what the label calls fail stays one."""
    pairs = [("pass", "pass")] * 5 + [("fail", "fail")] * 4 + [("fail", "pass")] * 3
    report = measured(write(home, pairs), "--no-verdict", "FAIL")
    assert (report["counts"]["judged"], report["counts"]["failed"], report["counts"]["used"]) == (8, 4, 8)
    assert human(report)["table"] == [[0, 3], [0, 5]] and human(report)["failed"] == 4


def test_a_label_that_cannot_tell_is_not_also_a_missing_one(home: Path) -> None:
    pairs = [("pass", "pass"), ("fail", "fail"), ("cannot_tell", "pass"), ("cannot_tell", "fail"), (None, "pass")]
    report = measured(write(home, pairs))
    assert report["counts"]["labelled"] == 4 and report["counts"]["used"] == 2
    assert [text for text in report["warnings"] if "without a label" in text] == [
        "rows without a label, left out: 1 of 5"
    ]
    assert "human: labels that are `cannot_tell`: 2; they count for none of the levels" in report["warnings"]


def test_without_verdicts_the_labels_are_not_to_blame(home: Path) -> None:
    path = write(home, [("pass", None)] * 3)
    estimates = human(measured(path))["estimates"]
    assert {estimates[name]["note"] for name in ("tpr", "kappa", "agreement")} == {
        "no row that has a label has a verdict"
    }
    said = " ".join(succeed("calibrate", "--table", path, "--judge", "judge", "--human", "human").out.split())
    assert "pass recall (TPR) cannot be computed: no row that has a label has a verdict" in said
    half = human(measured(write(home, [("pass", None)] * 3 + [("fail", "fail")] * 3)))["estimates"]
    assert half["tpr"]["note"] == "no row whose label is pass has a verdict" and half["tnr"]["value"] == 1


def test_slices_of_a_table(home: Path) -> None:
    pairs = [("pass", "pass"), ("fail", "pass"), ("fail", "fail"), ("pass", "pass")]
    report = measured(write(home, pairs, domain=["x", "x", "y", "y"]), "--by", "domain")
    slices = report["slices"]["domain"]
    assert {value: part["human"]["estimates"]["agreement"]["value"] for value, part in slices.items()} == {
        "x": 0.5,
        "y": 1,
    }


@pytest.mark.parametrize(
    "option",
    [
        ("--labels", "x"),
        ("--truth", "majority"),
        ("--split", "dev"),
        ("--wide",),
        ("--map", "a=b"),
        ("--map-labels", "a=b"),
    ],
)
def test_options_of_a_run_are_refused_for_a_table(home: Path, option: tuple[str, ...]) -> None:
    error = wrong(write(home, [("pass", "pass")]), *option)
    assert option[0] in error["problem"] and "--table" in error["problem"]


def test_fifty_rows_that_all_pass_are_no_proof_of_fitness(home: Path) -> None:
    report = measured(write(home, [("pass", "pass")] * 50))
    kappa = human(report)["estimates"]["kappa"]
    assert kappa["value"] is None and kappa["note"]
    assert any("every label is pass" in text for text in report["warnings"])
    out = succeed("calibrate", "--table", home / "table.csv", "--judge", "judge", "--human", "human").out
    assert "every label is pass" in out and "nan" not in out.lower()


def test_long_levels_are_cut_where_two_stand_in_a_line(home: Path) -> None:
    long, other = "L" * 300, "M" * 300
    path = write(home, [(long, long), (other, long), (other, other)])
    said = succeed("calibrate", "--table", path, "--judge", "judge", "--human", "human").out
    worst = said[said.index("Worst disagreements") :].splitlines()[1]
    assert worst == f"row 3  human: {'M' * 39}\u2026 -> {'L' * 39}\u2026"
