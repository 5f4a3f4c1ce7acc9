"""The bundle: the same bytes for the same rubric, what is in it, what is refused, and how a changed one is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from making import data, pair_data

from rftj_cli import __version__
from rftj_cli.errors import InputError
from rftj_cli.files.rubrics import load_rubric
from rftj_cli.files.zips import read_zip, zip_bytes
from rftj_cli.kernel.compile import compile_rubric
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.reward.bundle import (
    LARGEST,
    Bundle,
    Packing,
    Record,
    build,
    bundle_of,
    differences,
    members_of,
    read_bundle,
)

BEDROCK = "bedrock:us.amazon.nova-2-lite-v1:0"
FAILS = {"on_failure": {"service": 0, "content": 0}}
SCHEMA = {"id": "json", "type": "json_schema", "schema": {"type": "object"}}
ROOT = Path(__file__).resolve().parents[2]


def plain(**changes: Any) -> dict[str, Any]:
    return data(**{"judge": {"model": BEDROCK}, "reward": FAILS, **changes})


def rubric(**changes: Any) -> Rubric:
    return compile_rubric(plain(**changes))


def test_the_same_rubric_gives_the_same_bytes() -> None:
    assert build(rubric(), Packing()) == build(rubric(), Packing())


def test_the_same_bytes_come_of_another_process_folder_umask_time_and_hash_seed(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(plain(checks=[SCHEMA])))
    code = (
        "import os, pathlib, sys; os.umask(0o077); from rftj_cli.files.rubrics import load_rubric; "
        "from rftj_cli.reward.bundle import Packing, build; "
        "sys.stdout.buffer.write(build(load_rubric(pathlib.Path(sys.argv[1])), Packing('sagemaker')))"
    )
    made = []
    for seed, zone, place in (("1", "UTC", tmp_path), ("77", "Asia/Tokyo", Path("/"))):
        surroundings = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": str(ROOT), "LC_ALL": "C"}
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "r.yaml")],
            cwd=place,
            env=surroundings,
            capture_output=True,
            check=True,
        )
        made.append(done.stdout)
        os.utime(tmp_path / "r.yaml", (1, 1))
    assert made[0] == made[1] == build(load_rubric(tmp_path / "r.yaml"), Packing("sagemaker"))


def test_the_order_of_keys_comments_and_where_texts_stand_do_not_matter(tmp_path: Path) -> None:
    given = plain()
    (tmp_path / "prompt.md").write_text(given["prompt"]["user"])
    (tmp_path / "a.yaml").write_text("# a comment\n" + yaml.safe_dump(given, sort_keys=True))
    turned = dict(reversed({**given, "prompt": {"user": {"file": "prompt.md"}}}.items()))
    (tmp_path / "b.yaml").write_text(yaml.safe_dump(turned, sort_keys=False, default_flow_style=True))
    first, second = (build(load_rubric(tmp_path / name), Packing()) for name in ("a.yaml", "b.yaml"))
    assert first == second


@pytest.mark.parametrize(
    "changes",
    [{"name": "other"}, {"description": "d"}, {"criteria": [{"id": "quality", "question": "Is it bad?"}]},
     {"reward": {**FAILS, "range": [0, 2]}}, {"judge": {"model": BEDROCK, "cache": "off"}}],
)  # fmt: skip
def test_what_the_rubric_says_matters_all_of_it(changes: dict[str, Any]) -> None:
    assert build(rubric(**changes), Packing()) != build(rubric(), Packing())


def test_names_that_look_like_numbers_dates_and_truths_stay_what_they_are(tmp_path: Path) -> None:
    """A level that YAML reads as 1.0 is called `1.0` in the bundle too: the fingerprints would tell."""
    text = yaml.safe_dump(plain(criteria=None)) + (
        "criteria:\n  - {id: q, question: Q, scale: [1.0, 2.50, 3]}\n"
        "parse: {regex: '(.*)', map: {1: 1.0, 2.5: 2.5, true: 3, 2020-01-01: 3, null: 3}}\n"
    )
    (tmp_path / "r.yaml").write_text(text)
    loaded = load_rubric(tmp_path / "r.yaml")
    members = members_of(loaded, Packing())
    again = compile_rubric(json.loads(members["rubric.json"]))
    assert again.criteria == loaded.criteria and again.parse == loaded.parse
    assert again.judge_fingerprint == loaded.judge_fingerprint


def test_odd_characters_in_a_rubric_are_packed() -> None:
    made = rubric(prompt={"user": "\u00fc\u2028\ud800\\ \\ud800 {{ response }}"})
    assert compile_rubric(json.loads(members_of(made, Packing())["rubric.json"])) == made


def test_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    path.write_bytes(build(rubric(), Packing()))
    assert path.stat().st_size < 3_000_000 == LARGEST
    names = set(read_zip(path))
    assert {
        "lambda_function.py",
        "bundle.json",
        "rubric.json",
        "rftj_cli/errors.py",
        "rftj_cli/kernel/handler.py",
    } <= names
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"lambda_function.py", "bundle.json", "rubric.json", "rftj_cli", "jinja2", "markupsafe", "licenses"}
    assert all(name.endswith((".py", ".json")) or name.startswith("licenses/") for name in names)
    with zipfile.ZipFile(path) as given:
        assert given.testzip() is None
    assert "fastjsonschema/__init__.py" in members_of(rubric(checks=[SCHEMA]), Packing())


def test_bundle_json_and_how_it_is_read(tmp_path: Path) -> None:
    made = rubric(judge={"model": BEDROCK, "allow_regions": ["us-east-1"], "guardrail": {"id": "g", "version": 3}},
                  reward={**FAILS, "range": [0, 2]})  # fmt: skip
    packing = Packing("sagemaker", None, 12, Record("b", "p/", 0.01, None))
    path = tmp_path / "b.zip"
    path.write_bytes(build(made, packing))
    told = json.loads(read_zip(path)["bundle.json"])
    assert told["settings"] == {"envelope": "http", "concurrency": 12,
                                "record": {"bucket": "b", "prefix": "p/", "rate": 0.01, "kms_key": None}}  # fmt: skip
    assert (told["judge_fingerprint"], told["reward_fingerprint"]) == (made.judge_fingerprint, made.reward_fingerprint)
    bundle = read_bundle(path)
    assert (bundle.name, bundle.rftj, bundle.target, bundle.model) == ("tested", __version__, "sagemaker", BEDROCK)
    assert (bundle.allow_regions, bundle.guardrail, bundle.range) == (("us-east-1",), "g:3", (0.0, 2.0))
    assert bundle.settings == told["settings"] and set(bundle.packages) == {"jinja2", "markupsafe"}
    assert bundle.size == path.stat().st_size and len(bundle.sha256) == 44 and bundle.calls and not bundle.replays


@pytest.mark.parametrize(
    ("target", "envelope", "expected"),
    [("bedrock", None, "list"), ("hyperpod", None, "list"), ("sagemaker", None, "http"), ("sagemaker", "list", "list"),
     ("bedrock", "http", "http")],
)  # fmt: skip
def test_the_envelope_is_the_targets_unless_told(target: Any, envelope: Any, expected: str) -> None:
    told = json.loads(members_of(rubric(), Packing(target, envelope))["bundle.json"])
    assert told["settings"]["envelope"] == expected


UNFIT = {
    "preference": (pair_data(judge={"model": BEDROCK}, reward=FAILS), "kind"),
    "no constant for service": (plain(reward={"on_failure": {"content": 0}}), "reward.on_failure.service"),
    "no constant for content": (plain(reward={"on_failure": {"service": 0}}), "reward.on_failure.content"),
    "no constants": (plain(reward=None), "reward.on_failure.service"),
    "openai": (plain(judge={"model": "openai:m"}), "judge.model"),
    "local": (plain(judge={"model": "local"}), "judge.model"),
    "lexical": (plain(judge={"model": "lexical"}), "judge.model"),
    "plug-in": (plain(judge={"model": "acme:m"}), "judge.model"),
    "language": (plain(checks=[{"id": "e", "type": "json_valid"}, {"id": "l", "type": "language", "language": "en"}]),
                 "checks[1].type"),
    "checks alone": (plain(criteria=None, checks=[SCHEMA], reward=None), "reward.on_failure.content"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNFIT)
def test_an_unfit_rubric_is_refused_with_the_key_and_a_way_on(name: str) -> None:
    given, key = UNFIT[name]
    with pytest.raises(InputError) as caught:
        build(compile_rubric(given), Packing())
    assert caught.value.key == key and (caught.value.hint or caught.value.expected)


def test_checks_alone_need_no_model_and_no_constant_for_its_failures() -> None:
    made = rubric(criteria=None, checks=[SCHEMA], judge={"model": "openai:any"}, reward={"on_failure": {"content": 0}})
    assert json.loads(members_of(made, Packing())["bundle.json"])["model"] == ""


def test_a_bundle_that_is_too_large_is_refused() -> None:
    with pytest.raises(InputError, match="larger than it should be"):
        build(rubric(prompt={"user": "x" * 3_000_000 + "{{ response }}"}), Packing())


@pytest.fixture
def packed(tmp_path: Path) -> tuple[Bundle, dict[str, bytes]]:
    path = tmp_path / "b.zip"
    path.write_bytes(build(rubric(checks=[SCHEMA]), Packing("hyperpod", None, 7, Record("bucket", "p/", 0.5))))
    return read_bundle(path), read_zip(path)


def test_an_untouched_bundle_has_no_differences(packed: tuple[Bundle, dict[str, bytes]]) -> None:
    assert differences(*packed) == ()


def test_one_changed_byte_of_any_file_is_found(packed: tuple[Bundle, dict[str, bytes]]) -> None:
    bundle, members = packed
    for name in members:
        if name in ("rubric.json", "bundle.json"):
            continue
        changed = {**members, name: members[name] + b"\n"}
        assert differences(bundle, changed) == (f"{name}: changed",)


def test_another_rubric_shows_in_what_the_bundle_says_of_itself(packed: tuple[Bundle, dict[str, bytes]]) -> None:
    bundle, members = packed
    other = {**members, "rubric.json": members["rubric.json"].replace(b"Is it good?", b"Is it bad?")}
    assert differences(bundle, other) == ("bundle.json: changed",)
    spaced = {**members, "rubric.json": members["rubric.json"].replace(b'":', b'": ')}
    assert differences(bundle, spaced) == ("rubric.json: changed",)
    told = {**members, "bundle.json": members["bundle.json"].replace(b'"model"', b'"model" ')}
    assert differences(bundle, told) == ("bundle.json: changed",)


def test_a_missing_and_an_added_file_are_found(packed: tuple[Bundle, dict[str, bytes]]) -> None:
    bundle, members = packed
    changed = {**members, "sitecustomize.py": b"", "rftj_cli/kernel/extra.py": b""}
    del changed["rftj_cli/kernel/votes.py"]
    assert differences(bundle, changed) == (
        "rftj_cli/kernel/votes.py: missing", "rftj_cli/kernel/extra.py: not rftj's", "sitecustomize.py: not rftj's",
    )  # fmt: skip


def test_a_rubric_that_would_not_be_packed_is_an_error_with_the_file(packed: tuple[Bundle, dict[str, bytes]]) -> None:
    bundle, members = packed
    for broken in (b"{", b"[]", b"\xff", json.dumps(plain(reward=None)).encode(), b"[" * 99_999):
        with pytest.raises(InputError) as caught:
            differences(bundle, {**members, "rubric.json": broken})
        assert str(bundle.path) in str(caught.value.file)
    with pytest.raises(InputError, match=r"no rubric\.json"):
        differences(bundle, {name: one for name, one in members.items() if name != "rubric.json"})


@pytest.mark.parametrize(
    "change",
    [{"schema": "rftj.bundle/2"}, {"settings": None}, {"settings": [1]}, {"range": [0]}, {"range": ["a", "b"]}, {"name": 3},
     {"allow_regions": None}, {"packages": 3}, {"model": None},
     {"name": "a\nResources: {}"}, {"rftj": "1\nResources: {}"}, {"model": "bedrock:a\u2028b"},
     {"settings": {"envelope": "list", "concurrency": 3, "record": [1]}},
     {"settings": {"envelope": "list", "concurrency": "3", "record": None}}],
)  # fmt: skip
def test_what_is_wrong_with_bundle_json_is_an_input_error(
    packed: tuple[Bundle, dict[str, bytes]], change: dict[str, Any]
) -> None:
    bundle, members = packed
    told = {**json.loads(members["bundle.json"]), **change}
    with pytest.raises(InputError):
        bundle_of(bundle.path, {**members, "bundle.json": json.dumps(told).encode()})


@pytest.mark.parametrize(
    "change",
    [{"name": "another"}, {"model": "bedrock:another"}, {"allow_regions": ["us-east-1"]}, {"guardrail": "g:1"},
     {"range": [0, 2]}],
)  # fmt: skip
def test_a_bundle_that_names_another_judge_than_its_rubric_is_refused(
    packed: tuple[Bundle, dict[str, bytes]], change: dict[str, Any]
) -> None:
    """The role would be made for the one, and the function would call the other."""
    bundle, members = packed
    told = json.dumps({**json.loads(members["bundle.json"]), **change}).encode()
    bundle.path.write_bytes(zip_bytes({**members, "bundle.json": told}))
    with pytest.raises(InputError, match="says other than the rubric") as caught:
        read_bundle(bundle.path)
    assert caught.value.key in change


def test_settings_that_are_not_there_are_the_usual_ones(packed: tuple[Bundle, dict[str, bytes]]) -> None:
    bundle, members = packed
    told = {**json.loads(members["bundle.json"]), "settings": {}}
    changed = {**members, "bundle.json": json.dumps(told).encode()}
    assert bundle_of(bundle.path, changed).settings == {"envelope": "list", "concurrency": 64, "record": None}
    told["settings"] = {"record": {"bucket": "b", "x": 1}}
    changed["bundle.json"] = json.dumps(told).encode()
    with pytest.raises(InputError, match=r"bundle\.json cannot be read"):
        differences(bundle_of(bundle.path, changed), changed)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"\xff", b"{}"])
def test_a_bundle_json_that_is_none_is_an_input_error(packed: tuple[Bundle, dict[str, bytes]], text: bytes) -> None:
    bundle, members = packed
    with pytest.raises(InputError):
        bundle_of(bundle.path, {**members, "bundle.json": text})


def test_another_zip_is_not_taken_for_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "other.zip").write_bytes(zip_bytes({"a.py": b""}))
    with pytest.raises(InputError, match="did not make this zip"):
        read_bundle(tmp_path / "other.zip")
