"""Pitfalls (negative weight), whose higher level is the bad one, in `errors` and `diff-prompts`."""

from __future__ import annotations

from pathlib import Path

from reporting import binary, rftj, scored, truth_labels

CRITERION = {"id": "quality", "question": "Does it over-promise?", "weight": -1}


def test_the_errors_of_a_pitfall_say_which_of_them_is_a_miss(home: Path) -> None:
    truth, verdicts = binary([[12, 4], [6, 26]])
    run, file = scored(home, verdicts, criteria=[CRITERION]), truth_labels(home, truth)
    out = rftj("errors", run, "--labels", file, "--split", "all").out
    assert "quality: pass -> fail (missed)" in out and "quality: fail -> pass (false alarm)" in out


def test_the_errors_of_another_criterion_do_not(home: Path) -> None:
    truth, verdicts = binary([[12, 4], [6, 26]])
    run, file = scored(home, verdicts), truth_labels(home, truth)
    out = rftj("errors", run, "--labels", file, "--split", "all").out
    assert "quality: pass -> fail" in out and "missed" not in out and "false alarm" not in out


def test_a_comparison_names_what_the_levels_of_a_pitfall_mean(home: Path) -> None:
    truth, before = binary([[12, 4], [6, 26]])
    first, *_ = [id for id, level in truth.items() if level == "pass" and before[id] == "fail"]
    after = {**before, first: "pass"}
    a, b = (scored(home, side, name=name, criteria=[CRITERION]) for name, side in (("a", before), ("b", after)))
    out = rftj("diff-prompts", a, b, "--labels", truth_labels(home, truth), "--split", "all", "--full").out
    assert "1 fail -> pass (a pitfall: pass means present)" in " ".join(out.split())
    assert "right where present" in out and "right where absent" in out and "right on pass" not in out
