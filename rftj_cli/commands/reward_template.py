"""`rftj reward template`: the deployment as CloudFormation and IAM JSON, for whoever owns the account."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rftj_cli.commands import (
    AccountOption,
    ArchitectureOption,
    BundleArgument,
    FunctionOption,
    JsonOption,
    MemoryOption,
    PlaceOption,
    ProfileRegionsOption,
    ProvisionedOption,
    QuietOption,
    ReservedOption,
    RetentionOption,
    RoleOption,
    RuntimeOption,
    TimeoutOption,
    listed_option,
)


def template(
    zip_: BundleArgument,
    out: Annotated[Path, typer.Option(help="The folder for the files.", metavar="DIR")],
    region: PlaceOption = None,
    account: AccountOption = None,
    function: FunctionOption = None,
    role: RoleOption = None,
    profile_regions: ProfileRegionsOption = None,
    runtime: RuntimeOption = "python3.13",
    architecture: ArchitectureOption = "arm64",
    timeout: TimeoutOption = 300,
    memory: MemoryOption = 512,
    reserved: ReservedOption = None,
    provisioned: ProvisionedOption = None,
    retention: RetentionOption = 90,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Write what `rftj reward deploy` would make as a CloudFormation template and IAM policies.

    For a group that reviews roles or owns the account. No credentials are needed, unless AWS has to be asked where
    the judge's inference profile computes.
    """
    from rftj_cli.report import template_report
    from rftj_cli.reward.bundle import read_bundle
    from rftj_cli.reward.plan import Options
    from rftj_cli.reward.template import make_template, write_template

    options = Options(
        function=function,
        role=role,
        runtime=runtime,
        architecture=architecture,
        timeout=timeout,
        memory=memory,
        reserved=reserved,
        provisioned=provisioned,
        retention=retention,
        profile_regions=listed_option(profile_regions),
    )
    made = make_template(read_bundle(zip_), options, region, account)
    write_template(made, out)
    template_report.show(made, out, json=json)
    return 0
