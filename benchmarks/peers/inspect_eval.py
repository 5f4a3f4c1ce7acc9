"""Inspect AI: an evaluation of plain generations, each scored on the verdict in its reply.

python inspect_eval.py URL PROMPTS CONCURRENCY LOGS
"""

from __future__ import annotations

import json
import sys

from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import CORRECT, includes
from inspect_ai.solver import generate
from task import MODEL, VERDICT


def main() -> None:
    url, prompts, concurrency, logs = sys.argv[1:]
    with open(prompts) as file:
        samples = [Sample(json.loads(line)["text"], target=VERDICT) for line in file]
    (log,) = eval(
        Task(MemoryDataset(samples), solver=generate(), scorer=includes(ignore_case=False)),
        model=f"openai/{MODEL}",
        model_base_url=url,
        display="none",
        log_dir=logs,
        log_realtime=False,  # the log is written all the same; this spares the store for its live view
        max_connections=int(concurrency),  # explicit: else it is adaptive, from 20 up to 100
        max_samples=int(concurrency),
        max_retries=0,
        max_tokens=512,
        temperature=0.0,
    )
    if log.error:
        sys.exit(" ".join(log.error.message.split()))
    scores = [score.value for sample in log.samples or () for score in (sample.scores or {}).values()]
    print(json.dumps({"verdicts": scores.count(CORRECT)}))


if __name__ == "__main__":
    main()
