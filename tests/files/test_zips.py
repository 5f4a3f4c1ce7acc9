"""Zips: the same bytes for the same content, and nothing read on trust."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rftj_cli.errors import InputError
from rftj_cli.files.packages import kernel, vendored
from rftj_cli.files.zips import read_zip, zip_bytes


def zipped(folder: Path, members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> Path:
    path = folder / "a.zip"
    with zipfile.ZipFile(path, "w", compression) as made:
        for name, data in members:
            made.writestr(name, data)
    return path


@given(st.dictionaries(st.text("abc/._", min_size=1, max_size=9), st.binary(max_size=50), max_size=5))
def test_the_order_of_members_and_the_time_do_not_matter(members: dict[str, bytes]) -> None:
    made = zip_bytes(members)
    assert made == zip_bytes(dict(reversed(members.items())))
    with zipfile.ZipFile(io.BytesIO(made)) as given_:
        infos = given_.infolist()
        assert [info.filename for info in infos] == sorted(members)
        assert all(given_.read(name) == data for name, data in members.items())
    assert {(info.date_time, info.external_attr >> 16, info.create_system, info.compress_type) for info in infos} <= {
        ((2020, 1, 1, 0, 0, 0), 0o644, 3, 0)
    }


def test_what_was_written_is_read(tmp_path: Path) -> None:
    members = {"a.py": b"1", "b/c.json": b"{}", "\u00fc": b""}
    (tmp_path / "a.zip").write_bytes(zip_bytes(members))
    assert read_zip(tmp_path / "a.zip") == members


def test_a_compressed_zip_and_folders_are_read(tmp_path: Path) -> None:
    path = zipped(tmp_path, [("a/", b""), ("a/b", b"x" * 999)], zipfile.ZIP_DEFLATED)
    assert read_zip(path) == {"a/b": b"x" * 999}


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "a\\b", ".."])
def test_a_member_outside_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="outside of its folder"):
        read_zip(zipped(tmp_path, [("ok", b""), (name, b"")]))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two members of one name"):
        read_zip(zipped(tmp_path, [("rubric.json", b"{}"), ("rubric.json", b"[]")]))


def test_a_zip_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="more than Lambda takes"):
        read_zip(zipped(tmp_path, [("a", b"0" * 600), ("b", b"0" * 600)], zipfile.ZIP_DEFLATED), most=1000)


def test_what_is_no_zip_is_named(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "empty").write_text("")
    cases = {"text": "not a zip", "empty": "not a zip", "missing": "no such file", ".": "a folder, not a zip"}
    for name, problem in cases.items():
        with pytest.raises(InputError, match=problem) as caught:
            read_zip(tmp_path / name)
        assert caught.value.file == str(tmp_path / name)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_zip_is_an_error_and_no_traceback(tmp_path: Path, compression: int) -> None:
    """Any byte of it may be another one: it is read as it was, or refused."""
    path = zipped(tmp_path, [("a", bytes(range(256)) * 4), ("b", b"text " * 40)], compression)
    whole, right = path.read_bytes(), read_zip(path)
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            found = read_zip(path)
        except InputError:
            continue
        assert set(found) != set(right) or found == right
    path.write_bytes(whole[:-30])
    with pytest.raises(InputError):
        read_zip(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_zip_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    path = zipped(tmp_path, [("a", b"")])
    path.chmod(0)
    with pytest.raises(InputError, match="cannot read"):
        read_zip(path)


def test_packages_are_pure_python_with_their_licences() -> None:
    for name in ("jinja2", "markupsafe", "fastjsonschema"):
        version, members = vendored(name)
        assert version[0].isdigit() and f"{name}/__init__.py" in members
        assert any(member.startswith(f"licenses/{name}-") for member in members)
        assert all(member.endswith(".py") or member.startswith("licenses/") for member in members)
    with pytest.raises(InputError, match="not installed"):
        vendored("no-such-package")


def test_the_kernel_is_packed_and_nothing_beside_it() -> None:
    names = set(kernel())
    assert {"rftj_cli/__init__.py", "rftj_cli/errors.py", "rftj_cli/kernel/handler.py"} <= names
    assert all(name.startswith("rftj_cli/kernel/") or name.count("/") == 1 for name in names)
