"""A zip is unpacked inside its folder and within its limit, or not at all."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rftj_cli.errors import InputError
from rftj_cli.files.unzip import remove, unzip


def packed(folder: Path, *members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip with these members."""
    path = folder / "given.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def special(name: str, kind: int) -> zipfile.ZipInfo:
    """A member that is not a plain file."""
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (kind | 0o777) << 16
    return info


def test_files_and_folders_are_unpacked_read_only(tmp_path: Path) -> None:
    """Contents stay, empty folders too, programs can be run, and nothing can be written by others than root."""
    program = special("bin/tool", stat.S_IFREG)
    path = packed(
        tmp_path, ("a.py", b"x"), ("deep/er/b.py", b""), ("empty/", b""), (program, b"#!/bin/sh\n"), ("ż.txt", b"1")
    )
    unzip(path, tmp_path / "out")
    out = tmp_path / "out"
    assert {str(one.relative_to(out)) for one in out.rglob("*")} == {
        "a.py", "deep", "deep/er", "deep/er/b.py", "empty", "bin", "bin/tool", "ż.txt",
    }  # fmt: skip
    assert (out / "a.py").read_bytes() == b"x"
    assert oct((out / "a.py").stat().st_mode & 0o777) == "0o444"
    assert oct((out / "bin/tool").stat().st_mode & 0o777) == "0o555"
    assert {oct(one.stat().st_mode & 0o777) for one in (out, out / "deep/er", out / "empty")} == {"0o555"}
    remove(out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("member", "problem"),
    [
        ("/etc/evil", "absolute"),
        ("//evil", "absolute"),
        ("C:/evil", "absolute"),
        ("../evil", "leads out"),
        ("a/../../evil", "leads out"),
        ("..", "leads out"),
        ("a\\..\\evil", "name that is none"),
        ("a\nb", "name that is none"),
        ("x" * 300, "too long"),
        ("a/" * 2000 + "b", "too long"),
        (special("link", stat.S_IFLNK), "is a link"),
        (special("pipe", stat.S_IFIFO), "is no file"),
        (special("device", stat.S_IFBLK), "is no file"),
    ],
)
def test_members_that_lead_elsewhere_are_refused(tmp_path: Path, member: str | zipfile.ZipInfo, problem: str) -> None:
    """A hostile member stops everything before anything is written, and the message names it."""
    path = packed(tmp_path, ("fine.py", b"x"), (member, b"/etc/passwd"))
    with pytest.raises(InputError, match=problem) as refused:
        unzip(path, tmp_path / "deep" / "out")
    assert refused.value.file == str(path) and refused.value.found is not None
    assert sorted(os.listdir(tmp_path)) == ["deep", "given.zip"] and os.listdir(tmp_path / "deep") == []


def test_name_that_hides_its_end(tmp_path: Path) -> None:
    """A name with a NUL, which zipfile would cut, is refused."""
    path = packed(tmp_path, ("abcdef.py", b"x"))
    path.write_bytes(path.read_bytes().replace(b"abcdef.py", b"abc\0ef.py"))
    with pytest.raises(InputError, match="name that is none"):
        unzip(path, tmp_path / "out")


def test_the_same_name_twice(tmp_path: Path) -> None:
    """Two files of one name, and a file that is a folder too, are refused."""
    with pytest.warns(UserWarning):
        path = packed(tmp_path, ("a.py", b"1"), ("a.py", b"2"))
    with pytest.raises(InputError, match="twice"):
        unzip(path, tmp_path / "out")
    for members in ((("a", b"1"), ("a/b", b"2")), (("a/b", b"1"), ("a", b"2")), (("a", b"1"), ("a/", b""))):
        with pytest.raises(InputError, match=r"twice|one name"):
            unzip(packed(tmp_path, *members), tmp_path / "out")


def test_more_than_the_limit(tmp_path: Path) -> None:
    """The sum of the sizes counts, to the byte."""
    path = packed(tmp_path, ("a", b"x" * 600), ("b", b"y" * 400))
    unzip(path, tmp_path / "out", most=1000)
    with pytest.raises(InputError, match="larger than Lambda allows"):
        unzip(path, tmp_path / "more", most=999)
    assert not (tmp_path / "more").exists()


def test_header_that_lies_about_the_size(tmp_path: Path) -> None:
    """A member that unpacks to more than its header says cannot fill the disk."""
    path = packed(tmp_path, ("bomb", b"\0" * 5_000_000))
    data = path.read_bytes().replace(struct.pack("<L", 5_000_000), struct.pack("<L", 10))
    path.write_bytes(data)
    with pytest.raises(InputError):
        unzip(path, tmp_path / "out", most=1000)
    assert not (tmp_path / "out").exists()


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    return data[:60] + bytes([data[60] ^ 0xFF]) + data[61:]


def encrypted(data: bytes) -> bytes:
    """The flag alone: zipfile cannot write what it marks."""
    at = data.index(b"PK\1\2")
    return data[:6] + b"\1\0" + data[8 : at + 8] + b"\1\0" + data[at + 10 :]


def unknown_method(data: bytes) -> bytes:
    at = data.index(b"PK\1\2")
    return data[:8] + b"\x63\0" + data[10 : at + 10] + b"\x63\0" + data[at + 12 :]


@pytest.mark.parametrize(
    "damage", [cut, flipped, encrypted, unknown_method, lambda data: b"no zip at all", lambda data: b"PK\3\4"]
)
def test_damaged_zips(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """What is no zip, is damaged, encrypted or packed with an unknown method is the user's input, not a bug."""
    path = packed(tmp_path, ("lambda_function.py", os.urandom(200)))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match="zip") as refused:
        unzip(path, tmp_path / "out")
    assert refused.value.file == str(path) and not (tmp_path / "out").exists()


def test_what_is_no_file(tmp_path: Path) -> None:
    """A missing zip, a folder and an empty file are told apart."""
    (tmp_path / "empty.zip").write_bytes(b"")
    for name, problem in (("nothing.zip", "no such zip"), ("", "folder"), ("empty.zip", "empty")):
        with pytest.raises(InputError, match=problem):
            unzip(tmp_path / name, tmp_path / "out")


def test_zip_behind_other_bytes(tmp_path: Path) -> None:
    """A zip may have something in front of it, as self-extracting ones do."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("a.py", "1")
    (tmp_path / "a.zip").write_bytes(b"#!/bin/sh\n" + inner.getvalue())
    unzip(tmp_path / "a.zip", tmp_path / "out")
    assert (tmp_path / "out" / "a.py").read_bytes() == b"1"


def test_folders_without_end_are_removed(tmp_path: Path) -> None:
    """Deeper than any path can be named, read-only, with links out of it: the folder goes, and nothing else."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "kept").write_text("x")
    (tmp_path / "out").mkdir()
    before = Path.cwd()
    os.chdir(tmp_path / "out")
    try:
        os.symlink(tmp_path / "other", "link")
        for _ in range(3000):
            os.mkdir("deep")
            os.chdir("deep")
        os.symlink(tmp_path / "other", "link")
        os.chmod(".", 0)
    finally:
        os.chdir(before)
    remove(tmp_path / "out")
    remove(tmp_path / "never")
    assert sorted(os.listdir(tmp_path)) == ["other"] and (tmp_path / "other" / "kept").exists()
