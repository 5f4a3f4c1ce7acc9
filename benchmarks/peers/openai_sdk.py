"""The asynchronous client of OpenAI's SDK alone: a semaphore and a gather.

python openai_sdk.py URL PROMPTS CONCURRENCY [aiohttp]
"""

from __future__ import annotations

import asyncio
import json
import sys

from openai import AsyncOpenAI, DefaultAioHttpClient
from task import MODEL, VERDICT


def main() -> None:
    url, prompts, concurrency, *more = sys.argv[1:]
    with open(prompts) as file:
        texts = [json.loads(line)["text"] for line in file]
    print(json.dumps({"verdicts": asyncio.run(judged(url, texts, int(concurrency), more == ["aiohttp"]))}))


async def judged(url: str, texts: list[str], concurrency: int, aiohttp: bool) -> int:
    gate, http = asyncio.Semaphore(concurrency), DefaultAioHttpClient() if aiohttp else None
    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0, http_client=http) as client:

        async def judge(text: str) -> bool:
            async with gate:
                reply = await client.chat.completions.create(
                    model=MODEL,
                    messages=[{"role": "user", "content": text}],
                    max_tokens=512,
                    temperature=0.0,
                )
            return VERDICT in (reply.choices[0].message.content or "")

        return sum(await asyncio.gather(*map(judge, texts)))


if __name__ == "__main__":
    main()
