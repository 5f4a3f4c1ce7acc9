"""Runs an unpacked bundle as Lambda does: `python -I -S bare.py BUNDLE PACKAGES < EVENT`.

Nothing is importable but the bundle, the standard library and what PACKAGES holds (boto3 and what it needs). Prints, as
the last line, the results and where every module that was loaded comes from.
"""

import json
import sys
import sysconfig
from pathlib import Path

STANDARD = {sysconfig.get_paths()["stdlib"], sysconfig.get_paths()["platstdlib"], str(Path(json.__file__).parents[1])}


def origin(name: str, module: object, bundle: str, packages: str) -> str:
    """bundle, packages, standard, or the file itself."""
    file = getattr(module, "__file__", None)
    if file is None:
        # built in, frozen, or made by a module: six makes some, and `lib2to3`-like namespace folders have a path
        paths = [str(path) for path in getattr(module, "__path__", [])]
        return "standard" if not paths or name.startswith("six.") else paths[0]
    for where, folder in (("bundle", bundle), ("packages", packages)):
        if file.startswith(folder + "/"):
            return where
    return "standard" if any(file.startswith(folder + "/") for folder in STANDARD) and "-packages" not in file else file


def main() -> None:
    """Import, score, tell."""
    bundle, packages = sys.argv[1:3]
    sys.path[:0] = [bundle, packages]
    import lambda_function

    results = lambda_function.lambda_handler(json.load(sys.stdin), None)
    found = {
        name: origin(name, module, bundle, packages)
        for name, module in sorted(sys.modules.items())
        if name != "__main__"
    }
    print(json.dumps({"results": results, "modules": found, "python": list(sys.version_info[:2])}))


if __name__ == "__main__":
    main()
