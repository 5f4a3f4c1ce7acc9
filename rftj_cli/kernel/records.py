"""Full records of some rewards, texts included, to S3: off unless the bundle was built with `--record`. Encrypted there.

One object an invocation, JSON Lines, of the rows whose response hashes below the rate: the same answer is always kept or
never. Uses boto3, which every Lambda runtime holds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from rftj_cli.kernel.answering import Answer
from rftj_cli.kernel.events import Row
from rftj_cli.kernel.outcome import Reply
from rftj_cli.kernel.scoring import Scored

Done = tuple[Row, Scored, Answer]


class Recorder:
    """Writes records to `s3://bucket/prefix`. `rate` is the share that is kept, `kms_key` a key of one's own."""

    def __init__(self, bucket: str, prefix: str, rate: float, kms_key: str | None = None, client: Any = None) -> None:
        self._bucket, self._prefix, self._rate, self._key = bucket, prefix, rate, kms_key
        self._client = client

    def keep(self, done: Sequence[Done], request: str) -> str:
        """Write the records of one invocation; what went wrong, or ""."""
        chosen = [one for one in done if int(one[0].response_sha256[:8], 16) < self._rate * 2**32]
        if not chosen:
            return ""
        body = "".join(json.dumps(_record(*one), ensure_ascii=False, default=str) + "\n" for one in chosen)
        name = f"{self._prefix}{datetime.now(UTC):%Y/%m/%d/%H}/{request or uuid4()}.jsonl"
        encryption = (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._key}
            if self._key
            else {"ServerSideEncryption": "AES256"}
        )
        try:
            if self._client is None:
                import boto3

                self._client = boto3.client("s3")
            self._client.put_object(
                Bucket=self._bucket, Key=name, Body=body.encode("utf-8", "replace"),
                ContentType="application/jsonl", **encryption,
            )  # fmt: skip
        except Exception as error:  # noqa: BLE001 - a record that is lost must not cost a reward
            return f"records not kept: {type(error).__name__}"
        return ""


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
