"""Plain boto3: one client shared by N threads, Converse calls, nothing else.

python boto3_threads.py URL PROMPTS CONCURRENCY
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config
from task import PROFILE, REGION, VERDICT


def main() -> None:
    url, prompts, concurrency = sys.argv[1], sys.argv[2], int(sys.argv[3])
    config = Config(max_pool_connections=concurrency, retries={"mode": "standard", "total_max_attempts": 1})
    client = boto3.client("bedrock-runtime", region_name=REGION, endpoint_url=url, config=config)

    def judge(text: str) -> bool:
        reply = client.converse(
            modelId=PROFILE,
            messages=[{"role": "user", "content": [{"text": text}]}],
            inferenceConfig={"maxTokens": 512, "temperature": 0.0},
        )
        return VERDICT in reply["output"]["message"]["content"][0]["text"]

    with open(prompts) as file, ThreadPoolExecutor(concurrency) as pool:
        texts = [json.loads(line)["text"] for line in file]
        print(json.dumps({"verdicts": sum(pool.map(judge, texts))}))


if __name__ == "__main__":
    main()
