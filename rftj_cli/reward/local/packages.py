"""What a function may import besides its own zip and the standard library: the packages of Lambda's Python runtime.

A folder of links to exactly these packages stands in for Lambda's own; nothing else that is installed here can be seen.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Final

from rftj_cli.errors import InputError

CLIENT: Final = "awslambdaric"
NEEDED: Final = (CLIENT, "simplejson", "snapshot-restore-py")
SDK: Final = ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "python-dateutil", "six")


def link_packages(
    folder: Path, *, platform: str = sys.platform,
    find: Callable[[str], metadata.Distribution] = metadata.distribution,
) -> None:  # fmt: skip
    """Make the new folder `folder` with a link to each package. Raises `InputError` where the runtime client cannot be had."""
    if not platform.startswith("linux"):
        raise InputError(
            "a Lambda function runs on Linux alone: AWS's runtime client is made for no other system",
            found=platform,
            hint="run this command in a Linux container or virtual machine",
        )
    folder.mkdir()
    for name in (*NEEDED, *SDK):
        try:
            distribution = find(name)
        except metadata.PackageNotFoundError:
            if name in NEEDED:
                raise InputError(
                    "AWS's Lambda runtime client is not installed here", found=f"no package {name}",
                    hint="pip install 'rftj[lambda]'",
                ) from None  # fmt: skip
            continue
        for top in _tops(distribution):
            target = folder / top
            if not target.is_symlink():
                target.symlink_to(Path(str(distribution.locate_file(top))).resolve())


def _tops(distribution: metadata.Distribution) -> set[str]:
    """What of a distribution stands directly in site-packages, without its metadata."""
    tops = {file.parts[0] for file in distribution.files or () if file.parts}
    return {one for one in tops if one not in ("..", "__pycache__") and not one.endswith((".dist-info", ".pth"))}
