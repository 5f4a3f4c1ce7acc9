"""The Python source of packages that are installed here, to be packed into a bundle."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import rftj_cli
from rftj_cli.errors import InputError


def vendored(name: str) -> tuple[str, dict[str, bytes]]:
    """The version of an installed package, and its pure-Python files and licences by their path in a zip."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        raise InputError(f"the package {name} is not installed", hint=f"pip install {name}") from None
    members: dict[str, bytes] = {}
    for file in found.files or ():
        place = Path(str(file.locate()))
        if file.suffix == ".py" and file.parts[0] == name and place.is_file():
            members[str(file)] = place.read_bytes()
        elif "dist-info" in file.parts[0] and file.name.upper().startswith(("LICENSE", "LICENCE", "COPYING")):
            members[f"licenses/{name}-{file.name}"] = place.read_bytes()
    if not any(member.startswith(f"{name}/") for member in members):
        raise InputError(
            f"the source of {name} is not where its installer says", hint=f"pip install --force-reinstall {name}"
        )
    return found.version, members


def kernel() -> dict[str, bytes]:
    """The part of rftj that scores, by its path in a zip."""
    root = Path(rftj_cli.__file__).parent
    files = [root / "__init__.py", root / "errors.py", *sorted((root / "kernel").glob("*.py"))]
    return {str(Path("rftj_cli") / file.relative_to(root)): file.read_bytes() for file in files}
