"""The rubric for other judges of Amazon's: what is written is what the services take, and what is lost is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, StrictUndefined

from rftj_cli.cloud import check
from rftj_cli.errors import InputError
from rftj_cli.kernel.compile import compile_rubric
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.main import run
from rftj_cli.reward.export import export
from rftj_cli.reward.export_evaluations import example

USER = "Question: {{ prompt | fence('question') }}\nAnswer: {{ response | fence('answer') }}\n{{ criteria }}"
TONE = {
    "id": "tone",
    "question": "How polite?",
    "scale": [{"level": "rude", "is": "insults"}, "plain", {"level": "kind", "is": "friendly"}],
}
CORRECT = {"id": "correct", "question": "Right?", "weight": 2, "essential": True}


def rubric(**changed: Any) -> Rubric:
    """A rubric that fits, with changes."""
    return compile_rubric(
        {
            "name": "helpful",
            "criteria": [CORRECT, TONE],
            "prompt": {"user": USER},
            "judge": {"model": "bedrock:amazon.nova-pro-v1:0"},
            **changed,
        }
    )


def with_prompt(user: str, **changed: Any) -> Rubric:
    return rubric(prompt={"user": user}, **changed)


def metrics(found: Rubric, evaluator: str | None = None) -> list[dict[str, Any]]:
    """The definitions of the metrics."""
    config = json.loads(export(found, "bedrock-evaluations", evaluator=evaluator).text)
    return [one["customMetricDefinition"] for one in config["customMetrics"]]


def rendered(found: Rubric, *variables: str, **values: str) -> str:
    """The RewardPrompt as another engine renders it."""
    text = export(found, "sagemaker", variables).text
    return Environment(undefined=StrictUndefined).from_string(text).render(**values)


def test_a_reward_prompt_renders_with_its_three_variables_alone() -> None:
    """In plain Jinja, without rftj's filters."""
    text = rendered(rubric(), prompt="What is 2 + 2?", response="Four.")
    assert "What is 2 + 2?\n</question-" in text
    assert "Four.\n</answer-" in text
    assert "- kind: friendly" in text
    assert text.endswith("one number from 0 to 1, and nothing else.")


def test_variables_can_be_renamed() -> None:
    """AWS does not say what they are called."""
    found = with_prompt("{{ prompt }} {{ response }} {{ reference }} {{ criteria }}")
    names = ("response=prediction", "reference_answer=truth")
    text = rendered(found, *names, prompt="P", prediction="R", truth="T")
    assert text.startswith("P R T ")


@pytest.mark.parametrize(
    "variable", ["response", "respons=x", "response=1x", "response=a b", "response={{x}}", "response=prompt", "=x"]
)
def test_a_bad_variable_is_refused(variable: str) -> None:
    """Also one that another field has."""
    with pytest.raises(InputError):
        export(rubric(), "sagemaker", [variable])


def test_the_arithmetic_is_the_reward_s() -> None:
    """The formula in the prompt gives what rftj computes, for every combination of levels."""
    from itertools import product

    from rftj_cli.kernel.outcome import Part
    from rftj_cli.kernel.reward import _combine

    pitfall = {"id": "padding", "question": "Padded?", "weight": -1}
    for combine in ("weighted_mean", "minimum", "all_pass"):
        found = rubric(criteria=[CORRECT, TONE, pitfall], reward={"range": [-1, 1], "combine": combine})
        text = export(found, "sagemaker").text
        [line] = [one for one in text.splitlines() if one.startswith("- share = ")]
        formula = line.removeprefix("- share = ")
        assert "- score = -1 + 2 * share" in text
        for u in product((0.0, 0.5, 1.0), repeat=3):
            points = dict(zip(("correct", "tone", "padding"), u, strict=True))
            parts = [Part(one.id, points[one.id], one.weight, one.essential) for one in found.criteria]
            assert _by_hand(formula, points) == pytest.approx(_combine(found, parts))


def _by_hand(formula: str, points: dict[str, float]) -> float:
    """The formula as a careful model reads it."""
    if formula.startswith("the smallest of "):
        return min(eval(one, {}, points) for one in formula.removeprefix("the smallest of ").split(", "))
    if formula.startswith("1 if each of "):
        named = formula.removeprefix("1 if each of ").removesuffix(" is 1, else 0").split(", ")
        return float(all(eval(one, {}, points) == 1 for one in named))
    return float(eval(formula, {}, points))


def test_one_criterion_is_answered_with_its_reward() -> None:
    """No arithmetic for the model."""
    text = export(rubric(criteria=[TONE], reward={"range": [0, 10]}), "sagemaker").text
    assert "0 for rude, 5 for plain, 10 for kind" in text


def test_text_that_looks_like_template_code_stays_text() -> None:
    """A question with braces is no variable."""
    found = rubric(criteria=[{"id": "a", "question": "Does it fill {{ name }} and {% x %}?"}])
    assert "Does it fill {{ name }} and {% x %}?" in rendered(found, prompt="P", response="R")


def test_each_criterion_is_a_metric_that_aws_knows() -> None:
    """botocore's model of create_evaluation_job takes it; the values stand last, as AWS wants them."""
    found = export(rubric(), "bedrock-evaluations")
    check(example(json.loads(found.text), found.metrics))
    correct, tone = metrics(rubric())
    assert found.metrics == (correct["name"], tone["name"]) == ("helpful-correct", "helpful-tone")
    assert "How polite?" not in correct["instructions"]
    assert [one["definition"] for one in tone["ratingScale"]] == ["rude", "plain", "kind"]
    assert [one["value"] for one in tone["ratingScale"]] == [{"floatValue": value} for value in (1, 2, 3)]
    head, values = tone["instructions"].split("The prompt:\n")
    assert "{{" not in head
    assert values.index("{{prompt}}") < values.index("{{prediction}}")
    assert "{{ground_truth}}" not in values


def test_a_reference_is_the_ground_truth() -> None:
    """Only where the rubric shows it."""
    [metric] = metrics(with_prompt("{{ response }} {{ reference }}", criteria=[TONE]))
    assert "{{ground_truth}}" in metric["instructions"]
    assert "The criterion:\n1. tone" in metric["instructions"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"prompt": {"user": "{{ context.excerpt }} {{ response }}"}}, "context.excerpt"),
        ({"prompt": {"user": "{{ context['a'] | fence }} {{ response }}"}}, "context.a"),
        ({"prompt": {"user": "{{ domain }} {{ response }}"}}, "domain"),
        ({"prompt": {"user": "{% if reference %}x{% endif %} {{ response }}"}}, "computes"),
        ({"prompt": {"user": "{{ response | upper }}"}}, "computes"),
        ({"prompt": {"user": "{{ response[:10] }}"}}, "computes"),
        ({"prompt": {"user": "Is it good? {{ criteria }}"}}, "never shows the response"),
        ({"items": {"path": "$.c"}, "criteria": [TONE | {"on": "item"}]}, "items"),
        ({"kind": "preference", "criteria": [{"id": "preference"}]}, "two responses"),
        ({"criteria": [], "checks": [{"id": "short", "type": "max_words", "max": 3, "weight": 1}]}, "no criterion"),
    ],
)
@pytest.mark.parametrize("form", ["sagemaker", "bedrock-evaluations"])
def test_what_does_not_fit_is_refused_with_the_reason(changed: dict[str, Any], reason: str, form: str) -> None:
    """By the field, the key or the limit."""
    with pytest.raises(InputError, match="does not fit") as refused:
        export(rubric(**changed), form)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"prompt": {"user": "x" * 5000 + "{{ response }}"}}, "at most 5,000"),
        ({"criteria": [TONE | {"scale": {"min": 0, "max": 10}}]}, "11 levels"),
        ({"criteria": [TONE | {"scale": ["bad", "as good as one could wish for"]}]}, "more than 5 words"),
        ({"criteria": [CORRECT | {"id": f"c{n}"} for n in range(11)]}, "at most 10 fit one job"),
        ({"criteria": [{"id": "a", "question": "Is {{ x }} filled?"}]}, "read as a variable"),
    ],
)
def test_the_limits_of_bedrock_evaluations(changed: dict[str, Any], reason: str) -> None:
    """Before AWS refuses the job."""
    with pytest.raises(InputError, match="does not fit") as refused:
        export(rubric(**changed), "bedrock-evaluations")
    assert reason in str(refused.value)
    if "11 levels" in reason:
        assert metrics(rubric(criteria=[TONE | {"scale": {"min": 1, "max": 10}}]))


def test_all_reasons_come_at_once() -> None:
    """Not one after the other."""
    found = with_prompt("{{ context.a }} {{ context.b }}", items={"path": "$"}, criteria=[TONE | {"on": "item"}])
    with pytest.raises(InputError) as refused:
        export(found, "sagemaker")
    assert str(refused.value).count("\n  - ") == 3


def test_what_is_lost_is_said_line_by_line() -> None:
    """Nothing that the rubric says disappears in silence."""
    found = rubric(
        checks=[{"id": "short", "type": "max_words", "max": 300, "weight": 0.5}],
        judge={
            "model": "bedrock:openai.gpt-oss-120b-1:0",
            "votes": 3,
            "calls": "per_criterion",
            "allow_regions": ["us-east-1"],
            "guardrail": {"id": "g"},
        },
    )
    for form in ("sagemaker", "bedrock-evaluations"):
        lost = export(found, form).lost
        for word in ("check short", "votes", "calls", "reasons", "fences", "allow_regions", "guardrail", "settings"):
            assert any(line.startswith(word) for line in lost), (form, word)
        assert any("essential correct" in line for line in lost)
        assert any("weights" in line for line in lost)


def test_a_judge_elsewhere_needs_an_evaluator_on_bedrock() -> None:
    """The rubric's own model cannot run there."""
    found = rubric(judge={"model": "openai:gpt"})
    with pytest.raises(InputError, match="not on Bedrock"):
        export(found, "bedrock-evaluations")
    assert metrics(found, "amazon.nova-pro-v1:0")


def test_long_names_keep_apart() -> None:
    """63 characters, with a hash."""
    found = rubric(name="x" * 80)
    names = [one["name"] for one in metrics(found)]
    assert len(set(names)) == 2
    assert max(map(len, names)) <= 63


def test_the_command_writes_the_file_and_says_what_is_lost(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And with `--json` in one document."""
    (home / "r.yaml").write_text(json.dumps(dict(rubric().source)), encoding="utf-8")
    assert run(["reward", "export", "r.yaml", "--to", "sagemaker", "--out", "out/r.jinja"]) == 0
    assert (home / "out" / "r.jinja").read_text(encoding="utf-8").count("{{ response }}") == 1
    assert "undocumented" in (said := capsys.readouterr().out) or "does not document" in said
    assert run(["reward", "export", "r.yaml", "--to", "bedrock-evaluations", "--out", "e.json", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["metrics"]) == ("rftj.export/1", ["helpful-correct", "helpful-tone"])
    assert run(["reward", "export", "r.yaml", "--to", "sagemakr", "--out", "x"]) == 2
    assert "did you mean `sagemaker`" in capsys.readouterr().err
    assert run(["reward", "export", "r.yaml", "--to", "sagemaker", "--out", "out"]) == 2
