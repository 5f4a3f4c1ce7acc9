"""A real, small reinforcement fine-tuning: TRL's GRPO on the CPU, rewarded by rubric.yaml.

topics.txt -> prompts --GRPOTrainer (SmolLM2-135M) <-- grpo_reward(rubric.yaml)--> curve.csv, rewards.jsonl
held-out topics --the model before, and after--> before.jsonl, after.jsonl: samples that `rftj score` judges

The arm `shuffled` is the control: each reward is given to another completion of the batch, drawn at random. Whatever
rises there too does not come from the reward.
"""

from __future__ import annotations

import argparse
import copy
import csv
import json
import os
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # everything needed is on this machine
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # a thread that waits leaves its core to the others

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback, set_seed
from trl import GRPOConfig, GRPOTrainer

from datasets import Dataset
from rftj_cli.judges.install import install
from rftj_cli.reward.trl import grpo_reward

HERE = Path(__file__).parent
THREADS = 2
PROMPTS_A_STEP, GROUP = 4, 5
LENGTH = 32  # tokens of a completion
TEMPERATURE = 0.8
LEARNING_RATE = 3e-5
FROZEN = 15  # of the model's 30 layers, with the embeddings: they stay as they are
ROLLOUTS = 4  # of each held-out topic, before and after
EXAMPLE = [
    {"role": "system", "content": "You write one short tip with its reason."},
    {"role": "user", "content": "drinking water"},
    {"role": "assistant", "content": "Tip: Drink water in the morning, because it wakes you up."},
]


class Shuffled:
    """The control arm: the rewards of a batch, dealt out at random."""

    def __init__(self, reward: Any, seed: int) -> None:
        self.reward, self.random = reward, random.Random(seed)
        self.__name__ = f"{reward.__name__}-shuffled"

    def __call__(self, **given: Any) -> list[float | None]:
        values: list[float | None] = self.reward(**given)
        self.random.shuffle(values)
        return values


class Clock(TrainerCallback):
    """Notes how long each step took."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._began = 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self._began = time.monotonic()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.seconds.append(time.monotonic() - self._began)


def topics() -> tuple[list[str], list[str]]:
    """The topics to train on, and those held out."""
    lines = [line for line in (HERE / "topics.txt").read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    cut = lines.index("")
    return lines[:cut], [line for line in lines[cut:] if line]


def asked(topic: str) -> list[dict[str, str]]:
    """The conversation that asks for a tip."""
    return [*EXAMPLE, {"role": "user", "content": topic}]


def load() -> tuple[Any, Any]:
    """Model and tokenizer out of the GGUF file that `rftj local install` keeps; its sha256 is checked."""
    file = install()
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    tokenizer.padding_side = "left"
    read = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    # The weights are dequantised, but the model still counts as quantised, which the trainer refuses: move them over.
    config = copy.deepcopy(read.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.load_state_dict(read.state_dict())
    model.generation_config = read.generation_config
    for name, weights in model.named_parameters():  # the upper half is trained: nearly twice as fast
        weights.requires_grad = any(f"layers.{number}." in name for number in range(FROZEN, config.num_hidden_layers))
    return model, tokenizer


def rollouts(model: Any, tokenizer: Any, held_out: Sequence[str], seed: int, path: Path) -> None:
    """Sample answers to the held-out topics, and write them as samples for `rftj score`."""
    set_seed(seed)
    model.eval()
    rows = []
    for start in range(0, len(held_out), 8):
        part = [topic for topic in held_out[start : start + 8] for _ in range(ROLLOUTS)]
        texts = [tokenizer.apply_chat_template(asked(t), add_generation_prompt=True, tokenize=False) for t in part]
        given = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.inference_mode():
            out = model.generate(
                **given, max_new_tokens=LENGTH, do_sample=True, temperature=TEMPERATURE, top_k=0, top_p=1.0,
                pad_token_id=tokenizer.pad_token_id,
            )  # fmt: skip
        answers = tokenizer.batch_decode(out[:, given["input_ids"].shape[1] :], skip_special_tokens=True)
        rows += [
            {"id": f"{topic}-{index % ROLLOUTS}", "group": topic, "prompt": topic, "response": answer}
            for index, (topic, answer) in enumerate(zip(part, answers, strict=True))
        ]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def train(model: Any, tokenizer: Any, reward: Any, train_on: Sequence[str], steps: int, seed: int, out: Path) -> Any:
    """GRPO for some steps; the trainer, with its clock's seconds."""
    config = GRPOConfig(
        output_dir=str(out / "trainer"), seed=seed, use_cpu=True, bf16=False, max_steps=steps,
        per_device_train_batch_size=PROMPTS_A_STEP * GROUP, num_generations=GROUP, gradient_accumulation_steps=1,
        max_completion_length=LENGTH, temperature=TEMPERATURE, top_k=0, top_p=1.0, beta=0.0,
        learning_rate=LEARNING_RATE, lr_scheduler_type="constant", warmup_steps=0, activation_checkpointing=False,
        logging_steps=1, save_strategy="no", report_to="none", disable_tqdm=True, dataloader_pin_memory=False,
    )  # fmt: skip
    data = Dataset.from_list([{"prompt": asked(topic)} for topic in train_on])
    clock = Clock()
    trainer = GRPOTrainer(
        model=model, reward_funcs=reward, args=config, train_dataset=data, processing_class=tokenizer, callbacks=[clock]
    )
    trainer.train()
    return trainer, clock.seconds


def write_curve(history: Sequence[dict[str, Any]], seconds: Sequence[float], name: str, path: Path) -> None:
    """The curve of a training: a row a step."""
    parts = sorted({key for row in history for key in row if key.startswith(f"{name}/")})
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        heads = [part.partition("/")[2].replace("-", "_") for part in parts]
        writer.writerow(["step", "mean_reward", "sd", "zero_variance", "length", *heads, "seconds"])
        for step, (row, took) in enumerate(zip(history, seconds, strict=True), 1):
            figures = [row["reward"], row["reward_std"], row["frac_reward_zero_std"], row["completions/mean_length"]]
            figures += [row.get(part, "") for part in parts]
            writer.writerow([step, *(f"{one:.4f}" if one != "" else "" for one in figures), f"{took:.1f}"])


def main() -> None:
    """One arm, from the untrained model to its answers afterwards."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--arm", choices=("reward", "shuffled"), default="reward")
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(THREADS)
    given.out.mkdir(parents=True, exist_ok=True)
    train_on, held_out = topics()
    log = given.out / "rewards.jsonl"
    log.unlink(missing_ok=True)
    reward = grpo_reward(HERE / "rubric.yaml", log=log)
    began = time.monotonic()
    model, tokenizer = load()
    rollouts(model, tokenizer, held_out, given.seed, given.out / "before.jsonl")
    arm = reward if given.arm == "reward" else Shuffled(reward, given.seed)
    trainer, seconds = train(model, tokenizer, arm, train_on, given.steps, given.seed, given.out)
    history = [row for row in trainer.state.log_history if "reward" in row]
    write_curve(history, seconds, reward.__name__, given.out / "curve.csv")
    rollouts(trainer.model, tokenizer, held_out, given.seed, given.out / "after.jsonl")
    print(f"{given.arm}: {given.steps} steps in {sum(seconds):.0f} s, {time.monotonic() - began:.0f} s in all")


if __name__ == "__main__":
    main()
