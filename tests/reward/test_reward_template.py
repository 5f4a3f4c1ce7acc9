"""The template and the API calls of a deployment are one plan; names, policies and limits of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy_account import DESTINATIONS, PROFILE, REGION, write_bundle

from rftj_cli.errors import InputError
from rftj_cli.reward.bundle import Bundle, read_bundle
from rftj_cli.reward.deploy import plan_offline
from rftj_cli.reward.plan import Options
from rftj_cli.reward.template import TEMPLATE, Template, make_template, version_id

ACCOUNT = "123456789012"
KNOWN = Options(profile_regions=DESTINATIONS)
GIVEN = Options(profile_regions=DESTINATIONS, reserved=200, provisioned=100, timeout=600, memory=1024, retention=30)
RECORD = {"bucket": "records", "prefix": "judge/", "rate": 0.01, "kms_key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"}


class _Loader(yaml.SafeLoader):
    """Reads the short forms: `!Sub` as the account's text, the others as their words."""


_Loader.add_constructor("!Sub", lambda loader, node: node.value.replace("${AWS::AccountId}", ACCOUNT))
_Loader.add_constructor("!Ref", lambda loader, node: ("Ref", node.value))
_Loader.add_constructor("!GetAtt", lambda loader, node: ("GetAtt", node.value))


def bundle(folder: Path, **changed: Any) -> Bundle:
    return read_bundle(write_bundle(folder / "a.zip", **changed))


def resources(template: Template) -> dict[str, dict[str, Any]]:
    """Type -> properties."""
    parsed = yaml.load(template.files[TEMPLATE], Loader=_Loader)
    return {one["Type"].rpartition("::")[2]: one["Properties"] for one in parsed["Resources"].values()}


def calls(found: Bundle, options: Options, region: str = REGION) -> dict[str, dict[str, Any]]:
    """Operation -> parameters, of a deployment into an empty account."""
    plan = plan_offline(found, options, region, ACCOUNT)
    return {step.call.operation: dict(step.call.parameters) for step in plan.changes if step.call is not None}


def tags(rows: list[dict[str, str]]) -> dict[str, str]:
    return {row["Key"]: row["Value"] for row in rows}


def statements(found: Bundle, options: Options, region: str = REGION) -> dict[str, dict[str, Any]]:
    """Sid -> statement of the execution policy."""
    policy = plan_offline(found, options, region, ACCOUNT).deployment.policy
    assert policy is not None
    return {one["Sid"]: one for one in policy["Statement"]}


@pytest.mark.parametrize("target", ["bedrock", "sagemaker", "hyperpod"])
def test_the_template_and_the_calls_are_one_deployment(tmp_path: Path, target: str) -> None:
    """Function settings, role, policy, log, alias and tags are the same both ways."""
    found = bundle(tmp_path, target=target, guardrail="gr1:3", settings={"record": RECORD})
    options = GIVEN if target == "bedrock" else Options(profile_regions=DESTINATIONS, reserved=200, timeout=600)
    template = make_template(found, options, REGION, ACCOUNT)
    stack, api = resources(template), calls(found, options)
    function, created = stack["Function"], api["create_function"]
    same = (
        "FunctionName",
        "Description",
        "PackageType",
        "Runtime",
        "Handler",
        "Timeout",
        "MemorySize",
        "Architectures",
    )
    assert {name: function[name] for name in same} == {name: created[name] for name in same}
    assert tags(function["Tags"]) == created["Tags"]
    assert set(created) - set(function) == set()
    role, made = stack["Role"], api["create_role"]
    assert role["RoleName"] == made["RoleName"] == created["Role"].rpartition("/")[2]
    assert role["AssumeRolePolicyDocument"] == json.loads(made["AssumeRolePolicyDocument"])
    [policy], put = role["Policies"], api["put_role_policy"]
    assert policy["PolicyName"] == put["PolicyName"]
    assert policy["PolicyDocument"] == json.loads(put["PolicyDocument"])
    assert policy["PolicyDocument"] == json.loads(template.files["execution-role-policy.json"])
    assert (stack["Alias"]["Name"], stack["Alias"]["Description"]) == (
        api["create_alias"]["Name"],
        api["create_alias"]["Description"],
    )
    assert stack["Version"]["CodeSha256"] == api["publish_version"]["CodeSha256"] == found.sha256
    assert stack["LogGroup"]["LogGroupName"] == api["create_log_group"]["logGroupName"]
    assert stack["LogGroup"]["RetentionInDays"] == api["put_retention_policy"]["retentionInDays"]
    assert function["ReservedConcurrentExecutions"] == 200
    assert api["put_function_concurrency"]["ReservedConcurrentExecutions"] == 200
    if target == "bedrock":
        kept = stack["Alias"]["ProvisionedConcurrencyConfig"]
        put = api["put_provisioned_concurrency_config"]
        assert kept["ProvisionedConcurrentExecutions"] == put["ProvisionedConcurrentExecutions"] == 100


@pytest.mark.parametrize(
    "changed", [{"judge_fingerprint": "c3" * 32}, {"reward_fingerprint": "c3" * 32}, {"rftj": "0.2.0"}]
)
@pytest.mark.parametrize("target", ["bedrock", "sagemaker"])
def test_whatever_changes_a_score_changes_alias_version_and_name(
    tmp_path: Path, changed: dict[str, str], target: str
) -> None:
    """Else CloudFormation publishes no new version, and a training job calls another judge than it names."""
    options = Options(profile_regions=DESTINATIONS)
    one = make_template(bundle(tmp_path, target=target), options, REGION, None)
    other = make_template(bundle(tmp_path, target=target, **changed), options, REGION, None)
    assert one.deployment.alias != other.deployment.alias
    assert version_id(one.deployment) != version_id(other.deployment)
    assert one.code_key != other.code_key
    same_name = one.deployment.place.function == other.deployment.place.function
    assert same_name is (target == "bedrock")


def test_other_settings_are_another_version_in_the_stack_too(tmp_path: Path) -> None:
    """A version keeps the settings that it was published with."""
    found = bundle(tmp_path)
    one = make_template(found, Options(profile_regions=DESTINATIONS), REGION, None)
    other = make_template(found, Options(profile_regions=DESTINATIONS, memory=1024), REGION, None)
    assert version_id(one.deployment) != version_id(other.deployment)


def test_what_a_failed_update_made_is_not_in_the_way_of_the_next(tmp_path: Path) -> None:
    """A log group or an alias that a rolled-back operation left behind has a name that the next one needs."""
    text = make_template(bundle(tmp_path), KNOWN, REGION, ACCOUNT).files["template.yaml"]
    stack = {one["Type"]: one for one in yaml.load(text, Loader=_Loader)["Resources"].values()}
    for kind in ("AWS::Logs::LogGroup", "AWS::Lambda::Version", "AWS::Lambda::Alias"):
        assert (
            stack[kind]["DeletionPolicy"] == "RetainExceptOnCreate" and stack[kind]["UpdateReplacePolicy"] == "Retain"
        )


def test_another_judge_is_another_role_in_the_stack_too(tmp_path: Path) -> None:
    """The earlier version needs the earlier one, so that it is retained where its name changes."""
    plain = bundle(tmp_path, model="bedrock:openai.gpt-oss-120b-1:0")
    names = [
        resources(make_template(one, KNOWN, REGION, ACCOUNT))["Role"]["RoleName"]
        for one in (
            plain,
            bundle(tmp_path),
            bundle(tmp_path, guardrail="g:1"),
            bundle(tmp_path, settings={"record": RECORD}),
        )
    ]
    assert len(set(names)) == 4 and all(len(name) <= 64 for name in names)
    text = make_template(plain, KNOWN, REGION, ACCOUNT).files[TEMPLATE]
    assert yaml.load(text, Loader=_Loader)["Resources"]["Role"]["UpdateReplacePolicy"] == "Retain"


def test_a_given_role_is_in_the_template_and_its_policy_beside_it(tmp_path: Path) -> None:
    """The template makes no role then; the policy is what the role's owner needs."""
    role = f"arn:aws:iam::{ACCOUNT}:role/theirs"
    template = make_template(bundle(tmp_path), Options(role=role, profile_regions=DESTINATIONS), REGION, ACCOUNT)
    assert "Role" not in resources(template)
    assert resources(template)["Function"]["Role"] == role
    assert "bedrock:InvokeModel" in template.files["execution-role-policy.json"]


def test_a_plain_model_is_one_arn_in_the_region(tmp_path: Path) -> None:
    """No wildcard, no other region."""
    found = bundle(tmp_path, model="bedrock:openai.gpt-oss-120b-1:0")
    allowed = statements(found, Options())
    assert set(allowed) == {"Judge", "OwnLog"}
    assert allowed["Judge"]["Resource"] == f"arn:aws:bedrock:{REGION}::foundation-model/openai.gpt-oss-120b-1:0"
    assert allowed["Judge"]["Action"] == "bedrock:InvokeModel"


def test_a_profile_is_its_arn_and_the_models_behind_it_only_through_it(tmp_path: Path) -> None:
    """The calling region's model too, even where the profile does not list it: AWS asks for it."""
    options = Options(profile_regions=("us-east-2", "us-west-2"))
    allowed = statements(bundle(tmp_path), options)
    profile = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/{PROFILE}"
    models = allowed["JudgeModelsThroughTheProfile"]
    assert allowed["JudgeProfile"]["Resource"] == profile
    assert models["Resource"] == [
        f"arn:aws:bedrock:{one}::foundation-model/amazon.nova-2-lite-v1:0" for one in DESTINATIONS
    ]
    assert models["Condition"] == {"StringEquals": {"bedrock:InferenceProfileArn": profile}}


def test_a_profile_s_regions_are_never_guessed(tmp_path: Path) -> None:
    """Without credentials and without the option there is no policy."""
    with pytest.raises(InputError) as refused:
        make_template(bundle(tmp_path), Options(), REGION, None)
    assert refused.value.key == "--profile-regions"


def test_a_global_profile_needs_the_model_without_a_region(tmp_path: Path) -> None:
    """AWS authorises a global profile on the calling region's model and on one without a region."""
    model = "anthropic.claude-haiku-4-5-20251001-v1:0"
    allowed = statements(bundle(tmp_path, model=f"bedrock:global.{model}"), Options())
    assert allowed["JudgeModelsThroughTheProfile"]["Resource"] == [
        f"arn:aws:bedrock:{REGION}::foundation-model/{model}",
        f"arn:aws:bedrock:::foundation-model/{model}",
    ]


@pytest.mark.parametrize("kind", ["application-inference-profile/abc123", "default-prompt-router/x"])
def test_an_arn_that_does_not_say_its_model_is_refused_without_aws(tmp_path: Path, kind: str) -> None:
    """An application's profile names no model, and of other kinds rftj knows no policy."""
    model = f"bedrock:arn:aws:bedrock:{REGION}:{ACCOUNT}:{kind}"
    for options in (Options(), Options(profile_regions=DESTINATIONS)):
        with pytest.raises(InputError):
            make_template(bundle(tmp_path, model=model), options, REGION, None)


def test_the_profile_is_read_only_where_the_rubric_keeps_to_regions(tmp_path: Path) -> None:
    """`allow_regions` makes the kernel ask AWS where the profile computes."""
    options = Options(profile_regions=DESTINATIONS)
    assert "WhereTheProfileComputes" not in statements(bundle(tmp_path), options)
    read = statements(bundle(tmp_path, allow_regions=list(DESTINATIONS)), options)["WhereTheProfileComputes"]
    assert read["Action"] == "bedrock:GetInferenceProfile"
    assert read["Resource"] == f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/{PROFILE}"


def test_guardrail_log_and_records_are_exactly_their_own(tmp_path: Path) -> None:
    """One guardrail, one log group, one prefix, one key."""
    found = bundle(tmp_path, guardrail="gr1:DRAFT", settings={"record": RECORD})
    allowed = statements(found, Options(profile_regions=DESTINATIONS))
    assert allowed["Guardrail"]["Resource"] == f"arn:aws:bedrock:{REGION}:{ACCOUNT}:guardrail/gr1"
    group = "/aws/lambda/rftj-contract-review"
    assert allowed["OwnLog"]["Resource"] == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:*"
    assert "logs:CreateLogGroup" not in allowed["OwnLog"]["Action"]
    assert allowed["Record"]["Resource"] == "arn:aws:s3:::records/judge/*"
    assert allowed["RecordKey"] | {"Sid": ""} == {
        "Sid": "",
        "Effect": "Allow",
        "Action": "kms:GenerateDataKey",
        "Resource": RECORD["kms_key"],
    }
    arn = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:guardrail/gr2"
    other = statements(bundle(tmp_path, guardrail=f"{arn}:7"), Options(profile_regions=DESTINATIONS))
    assert other["Guardrail"]["Resource"] == arn


@pytest.mark.parametrize("prefix", ["*", "a/${aws:username}/", "a?"])
def test_a_prefix_that_iam_reads_as_a_pattern_is_refused(tmp_path: Path, prefix: str) -> None:
    """It would allow more than that prefix."""
    found = bundle(tmp_path, settings={"record": {"bucket": "records", "prefix": prefix}})
    with pytest.raises(InputError, match="pattern"):
        statements(found, Options(profile_regions=DESTINATIONS))


@pytest.mark.parametrize(
    ("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("eu-central-1", "aws")]
)
def test_the_partition_is_the_region_s(tmp_path: Path, region: str, partition: str) -> None:
    """In every ARN."""
    found = bundle(tmp_path, model="bedrock:openai.gpt-oss-120b-1:0", settings={"record": RECORD | {"kms_key": None}})
    template = make_template(found, Options(), region, ACCOUNT)
    text = json.dumps(template.files)
    assert f"arn:{partition}:" in text
    assert text.count("arn:") == text.count(f"arn:{partition}:")


def test_the_training_role_may_call_this_function_and_nothing_else(tmp_path: Path) -> None:
    """Its version and alias; before there is a version, any of this function."""
    found = plan_offline(bundle(tmp_path), Options(profile_regions=DESTINATIONS), REGION, ACCOUNT).deployment
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:rftj-contract-review"
    assert found.training_policy("3")["Statement"][0]["Resource"] == [f"{function}:3", f"{function}:{found.alias}"]
    assert found.training_policy()["Statement"][0]["Resource"] == f"{function}:*"


def test_names_follow_the_target_s_rules(tmp_path: Path) -> None:
    """HyperPod wants SageMaker in the name, written so; a long name ends in a hash; two names never meet."""

    def name(options: Options = KNOWN, **changed: Any) -> str:
        return plan_offline(bundle(tmp_path, **changed), options, REGION, None).deployment.place.function

    assert name() == "rftj-contract-review"
    assert name(target="hyperpod").startswith("rftj-SageMaker-contract-review-")
    assert name(target="sagemaker").startswith("rftj-contract-review-")
    for target in ("bedrock", "sagemaker", "hyperpod"):
        long, other = name(target=target, name="x" * 100 + "1"), name(target=target, name="x" * 100 + "2")
        assert len(long) <= 64
        assert long != other
    assert name(name="contract.review") != name(name="contract-review")
    given = Options(profile_regions=DESTINATIONS, function="mine")
    assert name(given) == "mine"
    with pytest.raises(InputError, match="SageMaker"):
        name(given, target="hyperpod")
    mine = Options(profile_regions=DESTINATIONS, function="mySageMakerReward")
    assert name(mine, target="hyperpod").startswith("mySageMakerReward-")


@pytest.mark.parametrize(
    ("options", "key"),
    [
        (Options(timeout=901), "--timeout"),
        (Options(timeout=0), "--timeout"),
        (Options(memory=64), "--memory"),
        (Options(runtime="python3.9"), "--runtime"),
        (Options(architecture="arm"), "--architecture"),
        (Options(retention=31), "--retention"),
        (Options(reserved=0), "--reserved"),
        (Options(reserved=5, provisioned=6), "--provisioned"),
        (Options(function="a b"), "--function"),
        (Options(function="x" * 65), "--function"),
        (Options(function=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:x"), "--function"),
        (Options(role="theirs"), "--role"),
        (Options(role=f"arn:aws:iam::{ACCOUNT}:user/me"), "--role"),
        (Options(role="arn:aws:iam::999999999999:role/x"), "--role"),
        (Options(role=f"arn:aws-cn:iam::{ACCOUNT}:role/x"), "--role"),
        (Options(profile_regions=("*",)), "--profile-regions"),
    ],
)
def test_what_aws_would_refuse_is_refused_here(tmp_path: Path, options: Options, key: str) -> None:
    """Before anything is made, by the option's name."""
    with pytest.raises(InputError) as refused:
        plan_offline(bundle(tmp_path, model=f"bedrock:{PROFILE}"), options, REGION, ACCOUNT)
    assert refused.value.key == key


def test_a_bundle_that_only_replays_is_refused(tmp_path: Path) -> None:
    """It can answer from recordings alone."""
    found = bundle(tmp_path, model="replay:large-model")
    with pytest.raises(InputError, match="recorded replies"):
        make_template(found, Options(), REGION, None)


def test_provisioned_concurrency_needs_a_target_that_calls_an_alias(tmp_path: Path) -> None:
    """SageMaker calls the function without a qualifier."""
    with pytest.raises(InputError, match="provisioned"):
        make_template(bundle(tmp_path, target="sagemaker"), Options(provisioned=1), REGION, None)


def test_hyperpod_is_told_of_the_endpoint(tmp_path: Path) -> None:
    """Its cluster calls Lambda from inside a VPC."""
    template = make_template(bundle(tmp_path, target="hyperpod"), Options(profile_regions=DESTINATIONS), REGION, None)
    assert any(f"com.amazonaws.{REGION}.lambda" in note for note in template.notes)


@pytest.mark.parametrize(
    ("model", "allowed"),
    [
        ("bedrock:openai.gpt-oss-120b-1:0", ["eu-central-1"]),
        (f"bedrock:{PROFILE}", ["us-east-1", "us-east-2"]),
        ("bedrock:global.anthropic.claude-haiku-4-5-20251001-v1:0", ["us-east-1"]),
    ],
)
def test_a_place_that_the_rubric_forbids_is_refused(tmp_path: Path, model: str, allowed: list[str]) -> None:
    """In Lambda every call of the judge would be refused."""
    with pytest.raises(InputError, match="allow_regions"):
        statements(bundle(tmp_path, model=model, allow_regions=allowed), KNOWN)


def test_checks_alone_need_no_right_on_any_model(tmp_path: Path) -> None:
    """Such a reward is deployed as any other, and the plan says that no model is called."""
    found = bundle(tmp_path, model="")
    assert set(statements(found, Options())) == {"OwnLog"}
    assert "checks alone" in plan_offline(found, Options(), REGION, None).notes[0]


@pytest.mark.parametrize("model", ["bedrock:", "openai"])
def test_a_bundle_without_a_judge_is_refused(tmp_path: Path, model: str) -> None:
    """There is nothing to allow."""
    with pytest.raises(InputError, match="no judge"):
        statements(bundle(tmp_path, model=model), KNOWN)


def test_a_judge_elsewhere_gets_no_right_on_bedrock(tmp_path: Path) -> None:
    """And the plan says so."""
    found = bundle(tmp_path, model="openai:any")
    assert set(statements(found, Options())) == {"OwnLog"}
    assert "not on Bedrock" in plan_offline(found, Options(), REGION, None).notes[0]


def test_stack_names_are_what_cloudformation_takes(tmp_path: Path) -> None:
    """Lambda's names may begin with a digit and hold underscores."""
    for name, stack in (("_a_b", "rftj-a-b"), ("9x", "rftj-9x"), ("mine", "mine")):
        options = Options(function=name, profile_regions=DESTINATIONS)
        assert make_template(bundle(tmp_path), options, REGION, None).stack == stack


@pytest.mark.parametrize(
    "changed",
    [{"model": "bedrock:*"}, {"model": "bedrock:us.amazon.?"}, {"model": "bedrock:a.${x}"}, {"guardrail": "*:1"}],
)
def test_an_id_never_becomes_a_pattern_of_a_policy(tmp_path: Path, changed: dict[str, str]) -> None:
    """`*` for a model would allow all models."""
    with pytest.raises(InputError, match="pattern"):
        statements(bundle(tmp_path, **changed), KNOWN)


def test_a_key_is_one_key(tmp_path: Path) -> None:
    """By its ARN: IAM takes no alias."""
    alias = "arn:aws:kms:us-east-1:123456789012:alias/mine"
    for key in ("alias/mine", alias, "arn:aws:kms:us-east-1:123456789012:key/*"):
        with pytest.raises(InputError, match="ARN"):
            statements(bundle(tmp_path, settings={"record": RECORD | {"kms_key": key}}), KNOWN)
