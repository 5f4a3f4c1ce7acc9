"""`rftj reward deploy`: a pinned version of the reward function, as a plan and executed."""

from __future__ import annotations

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


def deploy(
    zip_: BundleArgument,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan, change nothing.")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="A dry run that asks nobody: as if nothing existed yet.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before the plan is executed.")] = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Overwrite a function or role that rftj did not make.")
    ] = False,
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
    """Deploy a bundle to AWS Lambda as a published version under an alias that names its fingerprints.

    The plan is printed before anything is made. What is in place is left as it is, nothing is deleted, and a second
    deployment of the same bundle changes nothing.
    """
    from rftj_cli.report import deploy_report
    from rftj_cli.reward.bundle import read_bundle
    from rftj_cli.reward.deploy import execute, plan_deployment
    from rftj_cli.reward.plan import Options

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
    manner = {"dry_run": dry_run, "offline": offline, "take_over": take_over}
    plan, ask = plan_deployment(read_bundle(zip_), options, region, account, **manner)
    deploy_report.show_plan(plan, json=json, reviewed=ask is None)
    deployed = None
    if ask is not None:
        deploy_report.confirm(plan, yes=yes, json=json)
        deployed = execute(plan, ask, deploy_report.teller(quiet=quiet or json))
    deploy_report.show_result(plan, deployed, json=json, quiet=quiet)
    return 0
