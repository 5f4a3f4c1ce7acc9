"""What `rftj reward template` prints: the files, and what to do with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from shlex import quote
from typing import Final

from rftj_cli.files.typed import typed
from rftj_cli.report.blocks import Block, Entries, Facts, Heading, Lines
from rftj_cli.report.deploy_report import about, deployment_document, permissions
from rftj_cli.report.documents import show_json
from rftj_cli.reward.plan import UNKNOWN_ACCOUNT, Deployment, Options
from rftj_cli.reward.template import POLICY, TEMPLATE, TRAINING, TRUST_FILE, Template

SCHEMA: Final = "rftj.template/1"
PRINCIPALS: Final = {"bedrock": "bedrock.amazonaws.com", "sagemaker": "sagemaker.amazonaws.com"}
FILES: Final = {
    TEMPLATE: "the whole deployment as CloudFormation",
    POLICY: "what the function's role may do",
    TRUST_FILE: "who may take the function's role: Lambda",
    TRAINING: "what the training job's role needs in addition",
}


def show(made: Template, folder: Path, *, json: bool) -> None:
    """Print where the files are and what they are for."""
    if json:
        files = {name: str(folder / name) for name in made.files}
        show_json(
            {
                "schema": SCHEMA,
                "files": files,
                "stack": made.stack,
                "code_key": made.code_key,
                **deployment_document(made.deployment),
                "notes": list(made.notes),
            }
        )
        return
    from rftj_cli.report import console

    console.show(list(_blocks(made, folder)))


def _blocks(made: Template, folder: Path) -> Iterator[Block]:
    found = made.deployment
    yield Facts(about(found))
    yield Heading("Written")
    yield Facts([(str(folder / name), FILES[name]) for name in made.files])
    yield Heading("The function's role may")
    yield permissions(found.policy)
    yield Heading("With CloudFormation")
    yield Entries(list(_stack(made, folder)))
    yield Heading("With roles that somebody else makes")
    yield Entries(list(_roles(made, folder)))
    notes = list(made.notes)
    if found.place.account == UNKNOWN_ACCOUNT:
        notes.append(f"put the account's number for {UNKNOWN_ACCOUNT} in the JSON files, or give --account")
    if notes:
        yield Heading("Notes")
        yield Lines(notes)


def _stack(made: Template, folder: Path) -> Iterator[tuple[str, list[str]]]:
    found = made.deployment
    zip_, template = quote(str(found.bundle.path)), quote(str(folder / TEMPLATE))
    yield "1. put the zip into a bucket of yours", [f"aws s3 cp {zip_} s3://BUCKET/{made.code_key}"]
    command = (
        f"aws cloudformation deploy --template-file {template} --stack-name {made.stack} "
        f"--parameter-overrides CodeBucket=BUCKET CodeKey={made.code_key} "
        f"--capabilities CAPABILITY_NAMED_IAM --region {found.place.region}"
    )
    yield "2. make or update the stack", [command]
    yield "3. the output RewardArn is what the training job is given", []


def _roles(made: Template, folder: Path) -> Iterator[tuple[str, list[str]]]:
    found = made.deployment
    principal = PRINCIPALS.get(found.bundle.target, "sagemaker.amazonaws.com")
    role = found.role if found.role_name is None else "ARN"
    yield "1. the function's role", [f"trust {folder / TRUST_FILE}, inline policy {folder / POLICY}"]
    which = "this function" if found.pinned_by_name else "the versions of this function"
    yield (
        "2. the training job's role",
        [f"trust {principal}; add {folder / TRAINING}: it names {which} and nothing else"],
    )
    yield "3. deploy with it", [f"rftj reward deploy {quote(str(found.bundle.path))}{_options(found, role)}"]


def _options(found: Deployment, role: str) -> str:
    """The options given here that `rftj reward deploy` has too, with this role."""
    given = {one.name: getattr(found.options, one.name) for one in fields(Options)}
    given = {one.name: given[one.name] for one in fields(Options) if given[one.name] != one.default}
    regions = ",".join(found.options.profile_regions) or None
    account = None if found.place.account == UNKNOWN_ACCOUNT else found.place.account
    return typed(**{**given, "profile_regions": regions, "role": role}, region=found.place.region, account=account)
