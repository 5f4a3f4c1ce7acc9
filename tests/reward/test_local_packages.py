"""What a function may import is linked, and where AWS's runtime client cannot be had the message says what to do."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from rftj_cli.errors import InputError
from rftj_cli.reward.local.packages import link_packages


def test_only_the_packages_of_lambda_are_linked(tmp_path: Path) -> None:
    """The folder holds links to packages, and nothing that could add more to the path."""
    pytest.importorskip("awslambdaric")
    link_packages(tmp_path / "packages")
    names = {one.name.partition(".")[0] for one in (tmp_path / "packages").iterdir()}
    assert names == {
        "awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py", "boto3", "botocore", "s3transfer", "jmespath",
        "urllib3", "dateutil", "six",
    }  # fmt: skip
    assert all(one.is_symlink() and one.exists() for one in (tmp_path / "packages").iterdir())


def test_other_systems_are_told(tmp_path: Path) -> None:
    """AWS makes its client for Linux alone."""
    with pytest.raises(InputError, match="Linux alone"):
        link_packages(tmp_path / "packages", platform="darwin")


def test_missing_client(tmp_path: Path) -> None:
    """Without the extra the message names it."""

    def none_installed(name: str) -> metadata.Distribution:
        raise metadata.PackageNotFoundError(name)

    with pytest.raises(InputError) as refused:
        link_packages(tmp_path / "packages", platform="linux", find=none_installed)
    assert refused.value.hint == "pip install 'rftj[lambda]'" and "awslambdaric" in str(refused.value)
