"""Rubric files: YAML with line numbers, files beside them, `--set`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rftj_cli.errors import InputError
from rftj_cli.files.rubrics import load_rubric
from rftj_cli.kernel.rubric import Rubric

TEXT = """\
name: tested
criteria:
  - id: quality
    question: Good?
prompt:
  user: "{{ response }}"
judge:
  model: openai:fake
"""


def load(folder: Path, text: str, *overrides: str) -> Rubric:
    path = folder / "rubric.yaml"
    path.write_bytes(text.encode())
    return load_rubric(path, overrides)


def fault(folder: Path, text: str, *overrides: str) -> InputError:
    with pytest.raises(InputError) as caught:
        load(folder, text, *overrides)
    assert caught.value.file is not None
    return caught.value


@pytest.mark.parametrize(
    ("old", "new", "row", "key"),
    [
        ("question: Good?", "qestion: Good?", 3, "criteria[0].question"),
        ("question: Good?", "question: Good?\n    weigth: 2", 5, "criteria[0].weigth"),
        ("model: openai:fake", "model: openai:fake\n  temperature: hot", 9, "judge.temperature"),
        (
            "question: Good?",
            "question: Good?\n    scale:\n      - bad\n      - level: bad",
            7,
            "criteria[0].scale[1].level",
        ),
        ("name: tested", "nam: tested", 1, "name"),
        ("name: tested", "name: tested\nname: again", 2, "name"),
        ("id: quality", "id: quality\n    id: other", 4, "criteria[0].id"),
    ],
)
def test_a_fault_is_located_at_its_line(tmp_path: Path, old: str, new: str, row: int, key: str) -> None:
    error = fault(tmp_path, TEXT.replace(old, new))
    assert (error.row, error.key) == (row, key)


@pytest.mark.parametrize(
    "text",
    [
        "a: [1",
        "a: b: c",
        "\ta: 1",
        "a: &x [*x]",
        "a: " + "[" * 5000 + "]" * 5000,
        "a: !!python/object:os.system x",
        "a: 2024-13-45",
        "? [1]\n: 2",
        "a: 1\n---\nb: 2",
        "a: *nowhere",
        "- a list",
        "just text",
        "# nothing\n",
        "a: 1\x00",
    ],
)
def test_what_is_no_yaml_mapping_is_an_input_error(tmp_path: Path, text: str) -> None:
    fault(tmp_path, text)


def test_on_yes_and_no_are_words(tmp_path: Path) -> None:
    text = (
        TEXT.replace("question: Good?", "question: Good?\n    on: item\n    scale: [no, yes]") + "items: {path: $.x}\n"
    )
    criterion = load(tmp_path, text).criteria[0]
    assert criterion.on == "item"
    assert criterion.scale.names == ("no", "yes")


def test_a_comma_inside_braces_gets_a_hint(tmp_path: Path) -> None:
    text = TEXT.replace("question: Good?", "question: Good?\n    scale: [{level: a, is: one, two words}, b]")
    assert "put the text in quotes" in str(fault(tmp_path, text))


def test_a_byte_order_mark_and_crlf_change_nothing(tmp_path: Path) -> None:
    plain = load(tmp_path, TEXT)
    marked = load(tmp_path, "\ufeff" + TEXT.replace("\n", "\r\n"))
    assert marked.judge_fingerprint == plain.judge_fingerprint


def test_anchors_and_merge_keys_work(tmp_path: Path) -> None:
    text = TEXT.replace("id: quality", "&base\n    id: quality") + "reward: {range: [0, 1]}\n"
    text = text.replace("prompt:", "  - <<: *base\n    id: tone\nprompt:")
    assert [criterion.question for criterion in load(tmp_path, text).criteria] == ["Good?", "Good?"]


def test_a_prompt_may_stand_in_a_file_beside_the_rubric(tmp_path: Path) -> None:
    (tmp_path / "judge.md").write_text("Judge {{ response }}")
    for prompt in ("file: judge.md", "user: {file: judge.md}"):
        assert load(tmp_path, TEXT.replace('user: "{{ response }}"', prompt)).prompt.user == "Judge {{ response }}"


def test_the_text_of_a_prompt_file_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    text = TEXT.replace('user: "{{ response }}"', "file: judge.md")
    (tmp_path / "judge.md").write_text("Judge {{ response }}")
    before = load(tmp_path, text).judge_fingerprint
    (tmp_path / "judge.md").write_text("Judge well {{ response }}")
    assert load(tmp_path, text).judge_fingerprint != before


def test_a_schema_may_stand_in_a_file_beside_the_rubric(tmp_path: Path) -> None:
    text = TEXT + "checks: [{id: c, type: json_schema, schema: s.json}]\n"
    (tmp_path / "s.json").write_text(json.dumps({"type": "object"}))
    assert load(tmp_path, text).checks[0].settings == {"schema": {"type": "object"}}
    (tmp_path / "s.json").write_text("{")
    assert fault(tmp_path, text).file == str(tmp_path / "s.json")


def test_set_overrides_a_key_and_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    plain = load(tmp_path, TEXT)
    hot = load(tmp_path, TEXT, "judge.temperature=1.0", "judge.model=openai:other", "reward.combine=minimum")
    assert (hot.judge.temperature, hot.judge.model, hot.reward.combine) == (1.0, "openai:other", "minimum")
    assert hot.judge_fingerprint != plain.judge_fingerprint
    assert load(tmp_path, TEXT, "judge.temperature=0").judge_fingerprint == plain.judge_fingerprint


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("judge.temperature", "bad --set"),
        ("=3", "bad --set"),
        ("judge.temprature=1", "did you mean `temperature`"),
        ("name.x=1", "not a key of a mapping"),
        ("judge.temperature=[", "bad --set"),
        ("judge.x[0]y=1", "unknown key"),
        ("a[b.c]=1", "unknown key"),
        ("[[A]]=1", "unknown key"),
        ("judge.temperature=5", "out of range"),
    ],
)
def test_a_bad_override_is_refused(tmp_path: Path, override: str, says: str) -> None:
    assert says in str(fault(tmp_path, TEXT, override))
