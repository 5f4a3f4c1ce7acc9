"""The rubric as TRL's GRPOTrainer calls it; with TRL installed, beside the trainer's own computation."""

from __future__ import annotations

import inspect
import json
import pickle
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from making import rubric

from rftj_cli.errors import CannotTell, InputError
from rftj_cli.kernel.canonical import digest
from rftj_cli.kernel.compile import compile_rubric
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.reward.function import reward_function
from rftj_cli.reward.trl import GrpoReward, grpo_reward
from rftj_cli.testing import FakeJudgeServer

PASS = '{"quality": {"reason": "fine", "level": "pass"}}'


def checked(**changes: Any) -> Rubric:
    """A rubric of two checks: it needs no judge."""
    return compile_rubric(
        {
            "name": "short-x",
            "checks": [
                {"id": "short", "type": "max_words", "max": 2},
                {"id": "has", "type": "contains", "text": "x", "weight": 3},
            ],
            "prompt": {"user": "{{ response }}"},
            "judge": {"model": "length"},
            **changes,
        }
    )


class Hooks:
    """What TRL passes beside the data: its state, and where metrics and columns go."""

    def __init__(self, step: int = 7) -> None:
        self.metrics: dict[str, list[float]] = defaultdict(list)
        self.columns: dict[str, list[Any]] = defaultdict(list)
        self.given: dict[str, Any] = {
            "trainer_state": SimpleNamespace(global_step=step),
            "log_metric": lambda name, value: self.metrics[name].append(value),
            "log_extra": lambda name, values: self.columns[name].extend(values),
        }


def call(reward: GrpoReward, completions: list[Any], prompts: list[Any] | None = None, **columns: Any) -> list[Any]:
    """As `GRPOTrainer._calculate_rewards` of TRL 1.16 calls a reward function."""
    prompts = ["say x"] * len(completions) if prompts is None else prompts
    ids = [[1, 2, 3]] * len(completions)
    return reward(prompts=prompts, completions=completions, completion_ids=ids, **columns)


def test_plain_text_and_conversations_have_the_same_rewards() -> None:
    """A completion is a string, or a list of messages that ends in the answer."""
    reward = grpo_reward(checked())
    texts = ["x", "one two x", "none", "much too long here"]
    prompts = [[{"role": "user", "content": "say x"}]] * 4
    turns = [[{"role": "assistant", "content": text}] for text in texts]
    assert call(reward, texts) == call(reward, turns, prompts) == [1.0, 0.75, 0.25, 0.0]
    assert reward.__name__ == "short-x" and not inspect.iscoroutinefunction(reward.__call__)


def test_tool_calls_stand_between_prompt_and_answer() -> None:
    """A message that only calls a tool has no content; the last answer is what is judged."""
    turns = [[{"role": "assistant", "content": None, "tool_calls": []}, {"role": "tool", "content": "42"},
              {"role": "assistant", "content": "x"}]]  # fmt: skip
    assert call(grpo_reward(checked()), turns, [[{"role": "user", "content": "q"}]]) == [1.0]


def test_a_conversation_without_an_answer_has_no_reward() -> None:
    turns = [[{"role": "tool", "content": "x"}], [{"role": "assistant", "content": "x"}]]
    assert call(grpo_reward(checked()), turns, [[{"role": "user", "content": "q"}]] * 2) == [None, 1.0]


def test_columns_of_the_data_set_are_fields_of_the_sample() -> None:
    """`reference` and `context` under their own names, others by `columns`; never in place of the answer."""
    seen: list[str] = []

    def note(body: dict[str, Any]) -> str:
        seen.append(body["messages"][-1]["content"])
        return PASS

    user = "{{ response }}|{{ reference }}|{{ context.page }}|{{ topic }}"
    made = rubric(prompt={"user": user, "answer_format": "none"})
    with FakeJudgeServer(note) as server:
        reward = grpo_reward(made, columns={"reference": "solution"}, base_url=server.base_url, workers=1)
        values = call(reward, ["a", "b"], solution=["s1", "s2"], context=[{"page": 1}, {"page": 2}],
                      topic=["t1", "t2"], response=["no", "no"], **Hooks().given)  # fmt: skip
    assert values == [1.0, 1.0] and seen == ["a|s1|1|t1", "b|s2|2|t2"]


def test_a_column_that_is_missing_is_named() -> None:
    with pytest.raises(InputError, match="column") as caught:
        call(grpo_reward(checked(), columns={"reference": "solution"}), ["x"], solutions=["s"])
    assert "solution" in str(caught.value)


def test_parts_and_failures_are_logged() -> None:
    """The mean of each criterion and check as a metric, each one as a column of the completions table."""
    hooks = Hooks()
    call(grpo_reward(checked()), ["x", "one two x"], **hooks.given)
    assert hooks.metrics == {"short-x/short": [0.5], "short-x/has": [1.0], "short-x/failures": [0.0]}
    assert hooks.columns == {"short-x/short": [1.0, 0.0], "short-x/has": [1.0, 1.0], "short-x/failure": [None, None]}


def test_a_failure_is_none_and_counted() -> None:
    """What could not be judged has no reward, so that it gives no advantage; the counter says how many there were."""
    replies = iter([PASS, "no verdict", PASS])
    with FakeJudgeServer(lambda body: next(replies)) as server:
        reward = grpo_reward(rubric(), base_url=server.base_url, workers=1)
        assert call(reward, ["a", "b", "c"]) == [1.0, None, 1.0]
    assert reward.function.counts == {"verdict": 2, "unparsed": 1}


def test_too_many_failures_stop_the_training() -> None:
    """A judge that says nothing usable is an error soon, not a training on noise; a single failure is none."""
    with FakeJudgeServer("no verdict") as server:
        reward = grpo_reward(rubric(), base_url=server.base_url, max_failures=0.1)
        assert call(reward, ["a", "b"]) == [None, None]
        with pytest.raises(CannotTell, match=r"3 of the last 3 completions .*\n.*unparsed"):
            call(reward, ["c"])
        patient = grpo_reward(rubric(), base_url=server.base_url, max_failures=1)
        assert call(patient, [str(i) for i in range(50)]) == [None] * 50


def test_what_checks_settle_is_no_failure() -> None:
    """Bad answers are what training starts from: they have a reward, the worst."""
    source = checked(checks=[{"id": "json", "type": "json_valid", "essential": True}])
    assert call(grpo_reward(source, max_failures=0), ["no"] * 60) == [0.0] * 60


@pytest.mark.parametrize("share", [-0.1, 1.5, "many", float("nan")])
def test_a_share_is_a_share(share: Any) -> None:
    with pytest.raises(InputError, match="share"):
        grpo_reward(checked(), max_failures=share)


def test_the_log_holds_figures_and_hashes_only(tmp_path: Path) -> None:
    """One line a completion in the format of the deployed function, and no text of a sample in it."""
    log = tmp_path / "logs" / "rewards.jsonl"
    reward, hooks = grpo_reward(checked(), log=log), Hooks(step=7)
    prompts = [[{"role": "user", "content": "a secret question"}]] * 2
    call(reward, [[{"role": "assistant", "content": "x \ud800"}], [{"role": "assistant", "content": "secret"}]], prompts,
         id=["r1", "r1"], **hooks.given)  # fmt: skip
    call(reward, [[{"role": "tool", "content": "x"}]], prompts[:1])
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    first, second, third = lines
    assert first["schema"] == "rftj.reward-log/1" and first["step"] == 7 and first["id"] == "r1"
    assert (first["aggregate_reward_score"], second["aggregate_reward_score"]) == (1.0, 0.25)
    assert first["parts"] == {"short": 1.0, "has": 1.0} and first["outcome"] == "verdict"
    assert first["prompt_sha256"] == second["prompt_sha256"] == digest(prompts[0])
    assert first["response_sha256"] != second["response_sha256"] and second["response_words"] == 1
    assert (third["outcome"], third["failure"], third["aggregate_reward_score"]) == ("malformed", None, None)
    assert first["request"] == second["request"] != third["request"]
    assert "secret" not in log.read_text(encoding="utf-8") and log.stat().st_mode & 0o077 == 0


def test_a_log_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="log"):
        call(grpo_reward(checked(), log=tmp_path), ["x"])


def test_it_can_be_pickled() -> None:
    """Trainers with workers of their own send reward functions there."""
    copy = pickle.loads(pickle.dumps(grpo_reward(checked())))
    assert copy.__name__ == "short-x" and call(copy, ["x"]) == [1.0]


def test_importing_it_needs_neither_torch_nor_trl() -> None:
    code = (
        "import sys, rftj_cli.reward.trl; sys.exit(bool({'torch', 'trl', 'transformers', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture
def calculate() -> Iterator[Any]:
    """TRL's own `_calculate_rewards`, on as much of a trainer as it looks at."""
    pytest.importorskip("trl", reason="TRL is not installed: it takes torch; see docs/trainers.md")
    import torch
    from accelerate import PartialState
    from trl import GRPOTrainer
    from trl.trainer.utils import get_callable_name

    PartialState()

    def run(reward: Any, inputs: list[dict[str, Any]], completions: list[Any]) -> tuple[list[float], Any]:
        pending: dict[str, list[Any]] = defaultdict(list)
        trainer = SimpleNamespace(
            accelerator=SimpleNamespace(device=torch.device("cpu"), is_main_process=True),
            state=SimpleNamespace(global_step=1), environments=None, args=SimpleNamespace(report_to=[]),
            _log_completion_extra=lambda column, values: pending[column].extend(values),
            _log_metric=lambda name, value: pending[name].append(value),
            reward_funcs=[reward], reward_processing_classes=[None], reward_func_names=[get_callable_name(reward)],
            profiling_context=None,
        )  # fmt: skip
        prompts = [one["prompt"] for one in inputs]
        found = inspect.unwrap(GRPOTrainer._calculate_rewards)(
            trainer, inputs, prompts, completions, [[1]] * len(inputs)
        )
        return found[:, 0].tolist(), pending

    yield run


def test_trl_computes_these_rewards(calculate: Any) -> None:
    """The trainer's tensor holds the rewards of `reward_function`, and NaN where there is none."""
    prompt = [{"role": "user", "content": "say x"}]
    texts = ["x", "one two x", "none"]
    completions: list[Any] = [[{"role": "assistant", "content": text}] for text in texts]
    inputs = [{"prompt": prompt, "reference": "r"}] * 4
    rewards, pending = calculate(grpo_reward(checked()), inputs, [*completions, [{"role": "tool", "content": "x"}]])
    plain = reward_function(checked())([{"messages": [*prompt, *one]} for one in completions])
    assert rewards[:3] == [result.value for result in plain]
    assert rewards[3] != rewards[3]
    assert pending["short-x/failures"] == [0.25]


def test_trl_gives_none_no_advantage(tmp_path: Path) -> None:
    """One real step of GRPOTrainer: None has the advantage 0, and is no part of its group's mean."""
    pytest.importorskip("trl", reason="TRL is not installed: it takes torch; see docs/trainers.md")
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
    from trl import GRPOConfig, GRPOTrainer

    from datasets import Dataset

    words = {word: number for number, word in enumerate(["<pad>", "<eos>", "<unk>", "say", "x", "y"])}
    base = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    base.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=base, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
    model = LlamaForCausalLM(
        LlamaConfig(vocab_size=len(words), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                    num_attention_heads=2, eos_token_id=1, pad_token_id=0)
    )  # fmt: skip
    config = GRPOConfig(
        output_dir=str(tmp_path), use_cpu=True, bf16=False, max_steps=1, per_device_train_batch_size=4,
        num_generations=4, max_completion_length=4, report_to="none", save_strategy="no", disable_tqdm=True,
    )  # fmt: skip

    def reward(prompts: list[Any], **_: Any) -> list[float | None]:
        return [1.0, None, 0.5, 0.0]

    trainer = GRPOTrainer(
        model=model, reward_funcs=reward, args=config, processing_class=tokenizer,
        train_dataset=Dataset.from_list([{"prompt": "say x"}] * 4),
    )  # fmt: skip
    trainer.train()
    assert list(trainer._logs["advantages"]) == pytest.approx([1.0, 0.0, 0.0, -1.0], abs=1e-3)
