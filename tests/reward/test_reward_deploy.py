"""Deployments in an account of moto's: what is made, what is left, what is refused, and what a half one leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from deploy_account import DESTINATIONS, PROFILE, REGION, Account, opened, write_bundle

from rftj_cli.cloud import Call
from rftj_cli.errors import CannotTell, InputError, Interrupted
from rftj_cli.report.deploy_report import document
from rftj_cli.reward.bundle import read_bundle
from rftj_cli.reward.deploy import Deployed, execute, plan_offline, plan_online
from rftj_cli.reward.plan import Options
from rftj_cli.reward.steps import DeployPlan

NAME = "rftj-contract-review"
ARN = f"arn:aws:lambda:{REGION}:123456789012:function:{NAME}"
DEFAULTS = Options()
ROLE = "arn:aws:iam::123456789012:role/theirs"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An account in which nothing exists."""
    with opened(monkeypatch) as found:
        yield found


@pytest.fixture
def zip_(tmp_path: Path) -> Path:
    """The bundle of the contract review."""
    return write_bundle(tmp_path / "a.zip")


def plan(account: Account, path: Path, options: Options = DEFAULTS, **given: Any) -> DeployPlan:
    return plan_online(read_bundle(path), options, account, REGION, **given)


def deploy(account: Account, path: Path, options: Options = DEFAULTS, **given: Any) -> Deployed:
    account.calls.clear()
    return execute(plan(account, path, options, **given), account, sleep=lambda seconds: None)


def make_role(account: Account, name: str) -> None:
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}]}
    given = {"RoleName": name, "AssumeRolePolicyDocument": json.dumps(trust)}
    account.cloud(Call("iam", "create_role", given))


def test_a_fresh_deployment_makes_all_and_pins_a_version(account: Account, zip_: Path) -> None:
    """Role, log group, function, version and alias, in this order; the ARN names the version."""
    made = deploy(account, zip_)
    assert account.writes == [
        "create_role",
        "put_role_policy",
        "create_log_group",
        "put_retention_policy",
        "create_function",
        "publish_version",
        "create_alias",
    ]
    assert made.arn == f"{ARN}:1"
    got = account.cloud(Call("lambda", "get_function", {"FunctionName": NAME}))
    settings = got["Configuration"]
    assert (settings["Timeout"], settings["MemorySize"], settings["Runtime"]) == (300, 512, "python3.13")
    assert settings["Architectures"] == ["arm64"]
    assert settings["CodeSha256"] == read_bundle(zip_).sha256
    assert got["Tags"]["rftj:judge-fingerprint"] == "a1" * 32
    alias = account.cloud(Call("lambda", "get_alias", {"FunctionName": NAME, "Name": made.plan.deployment.alias}))
    assert alias["FunctionVersion"] == "1"


def test_the_role_in_the_account_has_the_plan_s_policy_and_nothing_else(account: Account, zip_: Path) -> None:
    """One inline policy, no attached ones: AWS's managed policies allow more than a judge needs."""
    made = deploy(account, zip_)
    name = {"RoleName": made.plan.deployment.role_name}
    policy = account.cloud(Call("iam", "get_role_policy", {**name, "PolicyName": "rftj-reward"}))
    assert policy["PolicyDocument"] == made.plan.deployment.policy
    assert account.cloud(Call("iam", "list_attached_role_policies", name))["AttachedPolicies"] == []


def test_a_second_deployment_of_the_same_zip_changes_nothing(account: Account, zip_: Path) -> None:
    """It finds the version by its hash, and says the same ARN."""
    first = deploy(account, zip_)
    again = deploy(account, zip_)
    assert (account.writes, again.plan.changes, again.arn) == ([], (), first.arn)
    assert document(again.plan, again)["status"] == "unchanged"


def test_a_changed_rubric_is_a_new_version_and_says_which_fingerprint_changed(account: Account, zip_: Path) -> None:
    """The old version and the old alias stay for the job that named them."""
    first = deploy(account, zip_)
    other = write_bundle(zip_.with_name("b.zip"), reward_fingerprint="c3" * 32)
    second = deploy(account, other)
    assert account.writes == ["update_function_code", "publish_version", "create_alias", "tag_resource"]
    assert second.arn == f"{ARN}:2"
    [note] = second.plan.notes
    assert "the reward fingerprint changed: b2b2b2b2b2b2 -> c3c3c3c3c3c3" in note
    assert "the judge fingerprint did not" in note
    old = {"FunctionName": NAME, "Name": first.plan.deployment.alias}
    assert account.cloud(Call("lambda", "get_alias", old))["FunctionVersion"] == "1"


def test_another_judge_is_another_role(account: Account, zip_: Path) -> None:
    """A running job's version keeps the right to call its own judge, and the new one gets no right on that one."""
    first = deploy(account, zip_)
    changed = {"judge_fingerprint": "c3" * 32, "model": "bedrock:openai.gpt-oss-120b-1:0"}
    second = deploy(account, write_bundle(zip_.with_name("b.zip"), **changed))
    version = account.cloud(Call("lambda", "get_function", {"FunctionName": first.arn}))["Configuration"]
    assert version["Role"] == first.plan.deployment.role != second.plan.deployment.role
    for made in (first, second):
        given = {"RoleName": made.plan.deployment.role_name, "PolicyName": "rftj-reward"}
        found = account.cloud(Call("iam", "get_role_policy", given))["PolicyDocument"]
        assert found == made.plan.deployment.policy
    reworded = write_bundle(zip_.with_name("c.zip"), judge_fingerprint="d4" * 32)
    assert plan(account, reworded).deployment.role == first.plan.deployment.role


def test_going_back_to_an_earlier_bundle_finds_its_version(account: Account, zip_: Path) -> None:
    """Nothing is published twice: the first version still is that bundle."""
    first = deploy(account, zip_)
    deploy(account, write_bundle(zip_.with_name("b.zip"), judge_fingerprint="c3" * 32))
    back = deploy(account, zip_)
    assert (account.writes, back.arn) == ([], first.arn)


def test_other_settings_are_a_new_version_under_the_same_alias(account: Account, zip_: Path) -> None:
    """The alias names what changes a score; more time does not."""
    first = deploy(account, zip_)
    second = deploy(account, zip_, Options(timeout=600))
    assert account.writes == ["update_function_configuration", "publish_version", "update_alias"]
    assert second.plan.deployment.alias == first.plan.deployment.alias
    assert second.arn == f"{ARN}:2"
    assert any("Timeout 300 -> 600" in step.about for step in second.plan.steps)


def test_the_same_rubric_from_another_rftj_is_another_version(account: Account, zip_: Path) -> None:
    """Equal fingerprints do not vouch for other code."""
    first = deploy(account, zip_)
    second = deploy(account, write_bundle(zip_.with_name("b.zip"), rftj="0.2.0"))
    assert second.plan.deployment.alias != first.plan.deployment.alias
    assert second.arn == f"{ARN}:2"
    assert "the rubric is the same, the code is not" in second.plan.notes[0]


def test_a_function_of_somebody_else_is_not_overwritten(account: Account, zip_: Path) -> None:
    """It has no tag of rftj's; `--take-over` says that it may be overwritten."""
    make_role(account, "theirs")
    code = {
        "Code": {"ZipFile": zip_.read_bytes()},
        "Handler": "x.y",
        "Runtime": "python3.12",
        "Architectures": ["arm64"],
    }
    account.cloud(Call("lambda", "create_function", {"FunctionName": NAME, "Role": ROLE, **code}))
    with pytest.raises(InputError, match="rftj did not make"):
        deploy(account, zip_)
    assert account.writes == []
    assert deploy(account, zip_, take_over=True).arn == f"{ARN}:1"
    assert "tag_resource" in account.writes
    assert deploy(account, zip_).plan.changes == ()


def test_tags_that_may_not_be_read_are_not_taken_for_none(account: Account, zip_: Path) -> None:
    """Else a function of our own would seem to be somebody else's, and `--take-over` the way on."""
    deploy(account, zip_)

    def untold(call: Call) -> dict[str, Any]:
        answer = account(call)
        if call.operation == "get_function":
            fault = {"ErrorCode": "AccessDeniedException", "Message": "not authorized to perform: lambda:ListTags"}
            return {**{key: one for key, one in answer.items() if key != "Tags"}, "TagsError": fault}
        return answer

    with pytest.raises(CannotTell, match="list_tags: AccessDeniedException: not authorized"):
        plan_online(read_bundle(zip_), DEFAULTS, untold, REGION)


def test_a_role_of_somebody_else_is_not_overwritten(account: Account, zip_: Path) -> None:
    """Its trust and policy may serve another function."""
    make_role(account, str(plan(account, zip_).deployment.role_name))
    with pytest.raises(InputError, match="a role of this name that rftj did not make"):
        deploy(account, zip_)
    assert account.writes == []


def test_a_function_of_a_stack_is_changed_through_the_stack(account: Account, zip_: Path) -> None:
    """A deployment beside CloudFormation would be undone by it; where nothing has to change there is no quarrel."""
    deploy(account, zip_)
    tags = {"Resource": ARN, "Tags": {"aws:cloudformation:stack-name": "rewards"}}
    account.cloud(Call("lambda", "tag_resource", tags))
    assert deploy(account, zip_).plan.changes == ()
    with pytest.raises(InputError, match="CloudFormation stack rewards"):
        deploy(account, write_bundle(zip_.with_name("b.zip"), rftj="0.2.0"))


def test_a_given_role_means_no_call_of_iam(account: Account, zip_: Path) -> None:
    """For teams whose roles are made by others."""
    make_role(account, "theirs")
    made = deploy(account, zip_, Options(role=ROLE))
    assert "iam" not in account.services
    assert "bedrock" not in account.services  # no policy is worked out, so AWS is not asked about the profile
    got = account.cloud(Call("lambda", "get_function_configuration", {"FunctionName": NAME}))
    assert (got["Role"], made.arn) == (ROLE, f"{ARN}:1")


def test_a_plan_writes_nothing(account: Account, zip_: Path) -> None:
    """A dry run reads, and every call that it plans is one that AWS knows."""
    found = plan(account, zip_, Options(reserved=100, provisioned=50))
    assert account.writes == []
    assert [step.call.operation for step in found.changes if step.call is not None][-1] == (
        "put_provisioned_concurrency_config"
    )
    shown = document(found, None)
    assert shown["status"] == "planned"
    json.dumps(shown)  # the zip is named, not held


def test_an_offline_plan_asks_nobody(zip_: Path) -> None:
    """It assumes that nothing exists, and needs no credentials."""
    options = Options(profile_regions=("us-east-1", "us-west-2"))
    found = plan_offline(read_bundle(zip_), options, REGION, None)
    assert len(found.changes) == 7
    assert "ACCOUNT_ID" in found.deployment.role


def test_a_deployment_that_stops_half_way_says_so_and_goes_on(account: Account, zip_: Path) -> None:
    """What was made is found again: the second run makes only the rest."""
    account.fail["publish_version"] = [("ServiceException", "try later")]
    with pytest.raises(CannotTell) as stopped:
        deploy(account, zip_)
    said = str(stopped.value)
    assert "done:     create function rftj-contract-review" in said
    assert "not done: create a published version" in said
    assert "the same command goes on" in said
    made = deploy(account, zip_)
    assert account.writes == ["publish_version", "create_alias"]
    assert made.arn == f"{ARN}:1"
    assert "stopped before its version was published" in made.plan.notes[0]


@pytest.mark.parametrize(
    "operation", ["put_role_policy", "create_log_group", "put_retention_policy", "create_function", "create_alias"]
)
def test_wherever_it_stops_the_same_command_ends_well(account: Account, zip_: Path, operation: str) -> None:
    """After each of its calls."""
    account.fail[operation] = [("ServiceException", "no")]
    with pytest.raises(CannotTell):
        deploy(account, zip_)
    assert deploy(account, zip_).arn == f"{ARN}:1"
    assert deploy(account, zip_).plan.changes == ()


def test_a_role_that_lambda_does_not_know_yet_is_waited_for(account: Account, zip_: Path) -> None:
    """IAM takes seconds to tell Lambda of a new role."""
    said = "The role defined for the function cannot be assumed by Lambda."
    account.fail["create_function"] = [("InvalidParameterValueException", said)] * 3
    assert deploy(account, zip_).arn == f"{ARN}:1"
    assert account.writes.count("create_function") == 4


def test_a_change_under_way_and_a_throttled_call_are_waited_for(account: Account, zip_: Path) -> None:
    """Lambda takes one change after the other."""
    deploy(account, zip_)
    account.fail["update_function_code"] = [("ResourceConflictException", "An update is in progress")]
    account.fail["publish_version"] = [("TooManyRequestsException", "Rate exceeded")]
    assert deploy(account, write_bundle(zip_.with_name("b.zip"), rftj="0.2.0")).arn == f"{ARN}:2"


def test_a_version_is_waited_for_and_a_function_that_sleeps_is_not(account: Account, zip_: Path) -> None:
    """An alias of a pending version cannot be called; a function that nobody has called for weeks takes changes."""
    pending = ["Pending", "Pending", "Active"]

    def slow(call: Call) -> dict[str, Any]:
        answer = account(call)
        if call.operation == "get_function_configuration":
            state = pending.pop(0) if call.parameters.get("Qualifier") else "Inactive"
            return {**answer, "State": state, "LastUpdateStatus": "Successful"}
        return answer

    assert execute(plan(account, zip_), slow, sleep=lambda seconds: None).arn == f"{ARN}:1"
    assert pending == []


def test_what_somebody_set_of_the_function_is_told_before_it_is_published(account: Account, zip_: Path) -> None:
    """A variable may put another judge in the place of the one that was measured. Its value is not shown."""
    deploy(account, zip_)
    variables = {"Variables": {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "https://secret.example"}}
    call = Call("lambda", "update_function_configuration", {"FunctionName": NAME, "Environment": variables})
    account.cloud(call)
    found = plan(account, write_bundle(zip_.with_name("b.zip"), rftj="0.2.0"))
    assert any("environment variables AWS_ENDPOINT_URL_BEDROCK_RUNTIME" in note for note in found.notes)
    assert "secret.example" not in json.dumps(document(found, None))


def test_a_parameter_that_aws_refuses_is_not_tried_again(account: Account, zip_: Path) -> None:
    """Only an unknown role may become known."""
    account.fail["create_function"] = [("InvalidParameterValueException", "Unzipped size must be smaller")]
    with pytest.raises(CannotTell, match="Unzipped size"):
        deploy(account, zip_)
    assert account.writes.count("create_function") == 1


def test_no_right_to_make_roles_leads_to_the_template(account: Account, zip_: Path) -> None:
    """The error names the way for teams whose roles are made by others."""
    account.fail["create_role"] = [("AccessDenied", "not authorized to perform: iam:CreateRole")]
    with pytest.raises(CannotTell, match="--role ARN"):
        deploy(account, zip_)


def test_more_reserved_concurrency_than_the_account_has_is_refused_before_anything_is_made(
    account: Account, zip_: Path
) -> None:
    """Lambda keeps 100 for all functions together."""
    account.unreserved = 150
    with pytest.raises(InputError) as refused:
        deploy(account, zip_, Options(reserved=51))
    assert refused.value.expected == "at most 50"
    assert account.writes == []
    deploy(account, zip_, Options(reserved=50))
    got = account.cloud(Call("lambda", "get_function_concurrency", {"FunctionName": NAME}))
    assert got["ReservedConcurrentExecutions"] == 50
    account.unreserved = 100  # its own 50 may be reserved again
    assert deploy(account, zip_, Options(reserved=50)).plan.changes == ()


def test_provisioned_concurrency_is_the_alias_s_and_so_is_then_the_arn(account: Account, zip_: Path) -> None:
    """It serves calls of the alias alone; the alias of an earlier rubric goes on costing, and the plan says so."""
    account.looks_until_ready = 3
    first = deploy(account, zip_, Options(provisioned=10))
    alias = first.plan.deployment.alias
    assert first.arn == f"{ARN}:{alias}"
    assert account.provisioned == {alias: 10}
    assert deploy(account, zip_, Options(provisioned=10)).plan.changes == ()
    other = write_bundle(zip_.with_name("b.zip"), judge_fingerprint="c3" * 32)
    second = deploy(account, other, Options(provisioned=10))
    assert any(f"10 of {alias} goes on being paid" in note for note in second.plan.notes)


def test_warm_environments_move_to_the_new_version_before_their_number_changes(account: Account, zip_: Path) -> None:
    """Meanwhile the alias has weights, and AWS takes no other number for it."""
    first = deploy(account, zip_, Options(provisioned=10))
    account.looks_until_ready = 3
    said = "Alias with weights can not be used with Provisioned Concurrency"
    account.fail["put_provisioned_concurrency_config"] = [("InvalidParameterValueException", said)] * 2
    second = deploy(account, zip_, Options(provisioned=20, timeout=600))
    made = [call.operation for call in account.calls]
    moved, changed = made.index("update_alias"), made.index("put_provisioned_concurrency_config")
    assert made[moved + 1 : changed] == ["get_provisioned_concurrency_config"] * 3
    assert made.count("put_provisioned_concurrency_config") == 3
    assert second.arn == first.arn and account.provisioned == {first.plan.deployment.alias: 20}


def test_the_log_is_never_shortened(account: Account, zip_: Path) -> None:
    """A shorter time would delete what is kept; a longer one is set."""
    deploy(account, zip_)
    assert deploy(account, zip_, Options(retention=30)).plan.changes == ()
    deploy(account, zip_, Options(retention=365))
    assert account.writes == ["put_retention_policy"]


def test_a_target_without_versions_in_its_arn_has_a_function_for_each_bundle(account: Account, zip_: Path) -> None:
    """SageMaker's SDK takes no version, so a changed rubric must not change the function that a job calls."""
    first = deploy(account, write_bundle(zip_, target="sagemaker"))
    second = deploy(account, write_bundle(zip_.with_name("b.zip"), target="sagemaker", judge_fingerprint="c3" * 32))
    assert first.arn != second.arn
    assert first.arn.count(":") == second.arn.count(":") == 6
    assert "create_function" in account.writes


def test_code_that_was_changed_by_hand_is_put_right(account: Account, zip_: Path) -> None:
    """Where the job calls the function without a version, what it calls must be the bundle."""
    made = deploy(account, write_bundle(zip_, target="sagemaker"))
    other = write_bundle(zip_.with_name("b.zip"), name="other").read_bytes()
    name = made.plan.deployment.place.function
    account.cloud(Call("lambda", "update_function_code", {"FunctionName": name, "ZipFile": other}))
    deploy(account, zip_)
    assert account.writes[0] == "update_function_code"


def test_credentials_of_another_account_are_refused(account: Account, zip_: Path) -> None:
    """`--account` says which one is meant."""
    with pytest.raises(InputError, match="belong to another account"):
        plan_online(read_bundle(zip_), Options(), account, REGION, "999999999999")


def test_a_bundle_that_changes_while_it_is_planned_is_refused(account: Account, zip_: Path) -> None:
    """What is uploaded is what the plan shows."""
    found = plan(account, zip_)
    write_bundle(zip_, name="other")
    with pytest.raises(InputError, match="the bundle changed"):
        execute(found, account)
    assert account.writes == []


def test_a_profile_that_aws_does_not_know_is_refused(account: Account, zip_: Path) -> None:
    """The policy is not guessed."""
    bundle = replace(read_bundle(zip_), model="bedrock:us.nobody.nothing-v1:0")
    with pytest.raises(InputError, match="AWS knows no such inference profile"):
        plan_online(bundle, Options(), account, REGION)


def test_ctrl_c_says_what_was_done(account: Account, zip_: Path) -> None:
    """Exit code 130, and the same command goes on."""

    def stop(call: Call) -> dict[str, Any]:
        if call.operation == "publish_version":
            raise KeyboardInterrupt
        return account(call)

    with pytest.raises(Interrupted, match="done:     create function"):
        execute(plan(account, zip_), stop)
    assert deploy(account, zip_).arn == f"{ARN}:1"


def test_aws_is_asked_where_a_profile_computes(account: Account, zip_: Path) -> None:
    """The policy names the models in the regions that AWS lists, through the profile's own ARN."""
    policy = plan(account, zip_).deployment.policy
    assert policy is not None
    through = next(one for one in policy["Statement"] if "Condition" in one)
    assert [arn.split(":")[3] for arn in through["Resource"]] == ["us-east-1", "us-east-2", "us-west-2"]
    assert through["Condition"]["StringEquals"]["bedrock:InferenceProfileArn"].endswith(f"inference-profile/{PROFILE}")


def test_no_right_to_ask_about_the_profile_leads_to_the_option(account: Account, zip_: Path) -> None:
    """Given regions need no question."""
    account.fail["get_inference_profile"] = [("AccessDeniedException", "no")]
    with pytest.raises(InputError) as refused:
        plan(account, zip_)
    assert "--profile-regions" in str(refused.value)
    account.fail["get_inference_profile"] = [("AccessDeniedException", "no")]
    assert plan(account, zip_, Options(profile_regions=("us-east-2",))).changes


def test_a_guardrail_that_computes_in_several_regions_needs_its_profile_too(account: Account, zip_: Path) -> None:
    """Else AWS refuses every call of the judge, and every reward is the constant for failures."""

    def allowed() -> Any:
        policy = plan(account, zip_).deployment.policy
        assert policy is not None
        return next(one["Resource"] for one in policy["Statement"] if one["Sid"] == "Guardrail")

    write_bundle(zip_, guardrail="gr1:3")
    own = f"arn:aws:bedrock:{REGION}:123456789012:guardrail/gr1"
    with pytest.raises(InputError, match="no such guardrail"):
        plan(account, zip_)
    account.guardrails["gr1"] = {}
    assert allowed() == own
    account.guardrails["gr1"] = {"crossRegionDetails": {"guardrailProfileId": "us.guardrail.v1:0"}}
    assert allowed() == [own, "arn:aws:bedrock:*:123456789012:guardrail-profile/us.guardrail.v1:0"]
    account.fail["get_guardrail"] = [("AccessDeniedException", "no")]
    assert allowed() == own
    write_bundle(zip_, guardrail="gr1:3", allow_regions=list(DESTINATIONS))
    with pytest.raises(InputError, match="allow_regions forbids"):
        plan(account, zip_)


def test_another_rubric_under_the_same_name_is_told(account: Account, zip_: Path) -> None:
    """`--function` may send two rubrics to one function."""
    deploy(account, zip_, Options(function="shared"))
    second = plan(account, write_bundle(zip_.with_name("b.zip"), name="other"), Options(function="shared"))
    assert "another rubric before: contract-review" in second.notes[0]


def test_answers_are_recorded_in_a_bucket_that_exists(account: Account, zip_: Path) -> None:
    """Else all of them would be lost in silence; the role may write that prefix and nothing else."""
    write_bundle(zip_, settings={"record": {"bucket": "records", "prefix": "judge/", "rate": 1, "kms_key": None}})
    with pytest.raises(InputError, match="does not exist"):
        deploy(account, zip_)
    assert account.writes == []
    account.cloud(Call("s3", "create_bucket", {"Bucket": "records"}))
    made = deploy(account, zip_)
    assert any(one["Resource"] == "arn:aws:s3:::records/judge/*" for one in made.plan.deployment.policy["Statement"])  # type: ignore[index]
    account.fail["head_bucket"] = [("403", "Forbidden")]
    assert deploy(account, zip_).plan.changes == ()
