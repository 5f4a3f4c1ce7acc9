"""Full records of some rewards, texts included, to S3: off unless the bundle was built with `--record`. Encrypted there.

One object an invocation, JSON Lines, of the rows whose response hashes below the rate: the same answer is always kept or
never. Uses boto3, which every Lambda runtime holds.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from rftj_cli.kernel.answering import Answer
from rftj_cli.kernel.canonical import json_line
from rftj_cli.kernel.events import Row
from rftj_cli.kernel.outcome import Reply
from rftj_cli.kernel.scoring import Scored

LONGEST: Final = 10.0  # seconds
LOST: Final = "records not kept"
Done = tuple[Row, Scored, Answer]


class Recorder:
    """Writes records to `s3://bucket/prefix`. `rate` is the share that is kept, `kms_key` a key of one's own."""

    def __init__(self, bucket: str, prefix: str, rate: float, kms_key: str | None = None, client: Any = None) -> None:
        self._bucket, self._prefix, self._rate, self._key = bucket, prefix, rate, kms_key
        self._client = client

    def open(self) -> None:
        """Make the client now, while nobody waits for rewards. What fails here fails again, and is said, in `keep`."""
        with suppress(Exception):
            self._client = self._client or _s3()

    def keep(self, done: Sequence[Done], request: str, seconds: float = LONGEST) -> str:
        """Write the records of one invocation, in at most so many seconds; what went wrong, or ""."""
        try:
            chosen = [one for one in done if int(one[0].response_sha256[:8], 16) < self._rate * 2**32]
            if not chosen:
                return ""
            body = "".join(json_line(_record(*one)) for one in chosen).encode()
        except Exception as error:  # noqa: BLE001 - a record that is lost must not cost a reward
            return f"{LOST}: {type(error).__name__}"
        name = f"{self._prefix}{datetime.now(UTC):%Y/%m/%d/%H}/{request or uuid4()}.jsonl"
        return self._within(seconds, name, body)

    def _within(self, seconds: float, name: str, body: bytes) -> str:
        """Put one object, in a thread that is waited for no longer than the rewards can wait."""
        said: queue.SimpleQueue[str] = queue.SimpleQueue()

        def run() -> None:
            try:
                self._put(name, body)
                said.put("")
            except Exception as error:  # noqa: BLE001 - as above
                said.put(f"{LOST}: {type(error).__name__}")

        threading.Thread(target=run, name="rftj-records", daemon=True).start()
        try:
            return said.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return f"{LOST}: no answer from S3 in {max(0.0, seconds):.2g} s"

    def _put(self, name: str, body: bytes) -> None:
        self._client = self._client or _s3()
        sealed = {"ServerSideEncryption": "AES256"}
        if self._key:
            sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._key}
        self._client.put_object(Bucket=self._bucket, Key=name, Body=body, ContentType="application/jsonl", **sealed)


def _s3() -> Any:
    import boto3
    from botocore.config import Config

    quick = Config(connect_timeout=LONGEST, read_timeout=LONGEST, retries={"total_max_attempts": 2, "mode": "standard"})
    return boto3.client("s3", config=quick)


def _record(row: Row, scored: Scored, answer: Answer) -> dict[str, Any]:
    sample = row.sample
    assert sample is not None
    replies = [
        {"text": one.text, "stop": one.stop_reason or one.stop, "seconds": round(one.seconds, 3)}
        if isinstance(one, Reply) else {"failure": one.stage, "reason": one.reason}
        for one in scored.replies
    ]  # fmt: skip
    result = dict(answer.result)
    return {
        "schema": "rftj.reward-record/1", "id": row.id, "prompt_sha256": row.prompt_sha256,
        "response_sha256": row.response_sha256, "row": {**sample.fields, "id": row.id}, "replies": replies, **result,
        "judge_fingerprint": answer.log["judge_fingerprint"], "reward_fingerprint": answer.log["reward_fingerprint"],
    }  # fmt: skip
