"""Reward logs from CloudWatch: which log group a name means, its results page by page, and what came since.

NAME, /aws/lambda/NAME, arn:aws:lambda:..., arn:aws:logs:... --group_of--> log group --filter_log_events--> Intake
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rftj_cli.cloud import Call, CloudError
from rftj_cli.errors import InputError, nearest
from rftj_cli.files.reward_logs import Intake

PATTERN = '"rftj.reward-log"'  # a filter of CloudWatch's: only lines with this text are sent
OVERLAP, PATIENCE = 120_000, 6  # ms looked at again, since events come late; how often a busy service is asked again
BUSY = ("Throttl", "TooManyRequests", "LimitExceeded", "ServiceUnavailable", "RequestLimit")
_ARN = re.compile(r"arn:aws[\w-]*:(lambda|logs):([\w-]+):\d*:(?:function|log-group):([^:]+)")
_FUNCTION, _GROUP = re.compile(r"[\w-]{1,64}\Z", re.ASCII), re.compile(r"/[\w./#-]{0,511}\Z", re.ASCII)


class Door(Protocol):
    """What makes calls: `Cloud`."""

    def __call__(self, call: Call) -> dict[str, Any]:
        """The answer, or `CloudError`."""
        ...


@dataclass(frozen=True, slots=True)
class LogGroup:
    """A log group, and the region that an ARN names."""

    name: str
    region: str | None = None


def group_of(text: str) -> LogGroup | None:
    """The log group that an argument means; None where it means a file."""
    arn = _ARN.match(text)
    if arn:
        service, region, name = arn.groups()
        return LogGroup(name if service == "logs" else f"/aws/lambda/{name}", region)
    if text.startswith("arn:"):
        raise InputError(
            "not the ARN of a Lambda function or of a log group", found=text,
            expected="arn:aws:lambda:REGION:ACCOUNT:function:NAME or arn:aws:logs:REGION:ACCOUNT:log-group:NAME",
        )  # fmt: skip
    if not text.strip():
        raise InputError("no log is named", key="LOGS", expected="a file, a folder, a function or a log group")
    path = Path(text)
    if path.exists():
        return None
    if _GROUP.match(text) and (text.startswith("/aws/") or not _beside(path)):
        return LogGroup(text)
    return LogGroup(f"/aws/lambda/{text}") if _FUNCTION.match(text) else None


def _beside(path: Path) -> bool:
    return len(path.parts) > 2 and path.parent.is_dir()


class LogEvents:
    """The results of a log group; each `read` takes in what is new. Times are milliseconds since 1970."""

    def __init__(
        self, cloud: Door, group: str, since: int, until: int | None = None, *,
        sleep: Callable[[float], object] = time.sleep, tell: Callable[[int], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self.group, self._cloud, self._since, self._until = group, cloud, since, until
        self._sleep, self._tell = sleep, tell
        self._seen: dict[str, int] = {}

    def read(self, intake: Intake) -> int:
        """How many results were new."""
        before, token, newest = intake.builder.n, None, self._since
        while True:
            page = self._page(token)
            for event in page.get("events", []):
                newest = max(newest, int(event.get("timestamp", 0)))
                self._take(event, intake)
            self._seen = {id: at for id, at in self._seen.items() if at >= newest - OVERLAP}
            self._tell(intake.builder.n)
            token = page.get("nextToken")
            if not token:
                break
        self._since = max(self._since, newest - OVERLAP)
        return intake.builder.n - before

    def _take(self, event: dict[str, Any], intake: Intake) -> None:
        id, at = str(event.get("eventId", "")), int(event.get("timestamp", 0))
        if id and id in self._seen:
            return
        self._seen[id] = at
        stream = str(event.get("logStreamName", ""))
        # One source for all: two events are two results, however alike.
        for line in str(event.get("message", "")).rstrip("\n").split("\n"):
            intake.line(line.encode("utf-8", "replace"), f"{self.group} {stream}", intake.lines + 1, 0)

    def _page(self, token: str | None) -> dict[str, Any]:
        parameters: dict[str, Any] = {
            "logGroupName": self.group, "filterPattern": PATTERN, "startTime": self._since,
            **({} if self._until is None else {"endTime": self._until}), **({"nextToken": token} if token else {}),
        }  # fmt: skip
        for attempt in range(PATIENCE):
            try:
                return self._cloud(Call("logs", "filter_log_events", parameters))
            except CloudError as error:
                if error.code == "ResourceNotFoundException":
                    raise self._unknown() from None
                if attempt == PATIENCE - 1 or not any(word in error.code for word in BUSY):
                    raise
                self._sleep(min(30.0, 2.0**attempt))
        raise AssertionError("the last attempt returns or raises")

    def _unknown(self) -> InputError:
        """The error for a group that is not there, with the nearest of those that are, where these may be listed."""
        names: list[str] = []
        prefix = self.group[: self.group.rfind("/") + 1] or self.group[:1]
        try:
            answer = self._cloud(Call("logs", "describe_log_groups", {"logGroupNamePrefix": prefix, "limit": 50}))
            names = [str(one.get("logGroupName", "")) for one in answer.get("logGroups", [])]
        except CloudError:
            pass  # who may read one group may not be allowed to list them
        return InputError(
            "no such log group (and no such file)", found=self.group, expected="a file, a folder, a function or a log group",
            hint=nearest(self.group, names) or "the group is there once the function has run; is it the right --region?",
        )  # fmt: skip
