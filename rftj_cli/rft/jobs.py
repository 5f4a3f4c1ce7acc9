"""A training job that is under way: how it goes, and its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rftj_cli.cloud import Ask, Call, Cloud, CloudError
from rftj_cli.errors import InputError, nearest
from rftj_cli.files.datasets import read_job
from rftj_cli.rft.settings import JOB_NAME

UNDER_WAY: Final = ("InProgress", "Stopping")
FAILED: Final = ("Failed", "Stopped")
_PHASES: Final = {
    "validationDetails": "data checked", "dataProcessingDetails": "data processed", "trainingDetails": "training"
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Named:
    """The job that the user means. `arn` is what job.json beside its data says."""

    name: str
    region: str | None
    arn: str | None = None


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job as AWS describes it. Times are ISO 8601 in UTC, None where there is none yet."""

    name: str
    arn: str
    status: str
    phases: Mapping[str, str]
    created: str | None
    modified: str | None
    ended: str | None
    seconds: float | None
    base_model: str | None
    model_arn: str | None
    failure: str | None
    output: str | None
    reward: str | None
    hyper_parameters: Mapping[str, Any]

    @property
    def under_way(self) -> bool:
        """Whether it goes on."""
        return self.status in UNDER_WAY

    @property
    def exit_code(self) -> int:
        """0 while it goes on and when it is completed; 3 where it failed or was stopped: there is no model."""
        return 3 if self.status in FAILED else 0


def named(job: str, region: str | None) -> Named:
    """A job by its name, its ARN, or the folder of its data."""
    folder = Path(job)
    if folder.is_dir():
        found = read_job(folder)
        if found is None or not all(isinstance(found.get(name), str) for name in ("job_arn", "job_name", "region")):
            raise InputError("no job was submitted with this data: no job.json tells of one", file=folder,
                             hint="`rftj rft submit` writes it")  # fmt: skip
        return Named(str(found["job_name"]), region or str(found["region"]), found["job_arn"])
    if job.startswith("arn:"):
        parts = job.split(":", 5)
        if len(parts) < 6 or parts[2] != "bedrock" or not parts[5].startswith("model-customization-job/"):
            raise InputError("not the ARN of a customization job", key="JOB", found=job,
                             expected="arn:aws:bedrock:REGION:ACCOUNT:model-customization-job/...")  # fmt: skip
        return Named(job, region or parts[3])
    if len(job) > 63 or not JOB_NAME.fullmatch(job):
        raise InputError("neither the name of a job, nor its ARN, nor the folder of its data", key="JOB", found=job)
    return Named(job, region)


def connected(job: Named) -> Cloud:
    """AWS, in the job's region."""
    return Cloud(job.region)


def status_of(job: Named, ask: Ask) -> JobStatus:
    """How it goes. Raises `InputError` for a job that does not exist, with the nearest name."""
    try:
        found = ask(Call("bedrock", "get_model_customization_job", {"jobIdentifier": job.name}))
    except CloudError as error:
        if error.code not in ("ResourceNotFoundException", "ValidationException"):
            raise
        raise InputError("no such job", key="JOB", found=job.name, hint=_near(job.name, ask) or error.said) from None
    if job.arn is not None and found["jobArn"] != job.arn:
        raise InputError("the job of this name is another one than job.json's", key="job_arn", found=found["jobArn"],
                         expected=job.arn)  # fmt: skip
    return _status(found)


def _near(name: str, ask: Ask) -> str | None:
    parameters = {"maxResults": 100, "sortBy": "CreationTime", "sortOrder": "Descending"}
    try:
        found = ask(Call("bedrock", "list_model_customization_jobs", parameters))
    except CloudError:
        return None
    names = [str(one["jobName"]) for one in found.get("modelCustomizationJobSummaries", [])]
    return nearest(name, names) or (f"there are: {', '.join(names[:5])}" if names else "there is no job in this region")


def _status(found: Mapping[str, Any]) -> JobStatus:
    details, state = found.get("statusDetails") or {}, str(found.get("status", "unknown"))
    created, ended = found.get("creationTime"), found.get("endTime")
    done = ended if isinstance(ended, datetime) and state not in UNDER_WAY else None
    until = done or (datetime.now(UTC) if state in UNDER_WAY else found.get("lastModifiedTime"))
    rft = (found.get("customizationConfig") or {}).get("rftConfig") or {}
    reward = ((rft.get("graderConfig") or {}).get("lambdaGrader") or {}).get("lambdaArn")
    return JobStatus(
        name=str(found.get("jobName", "")),
        arn=str(found.get("jobArn", "")),
        status=state,
        phases={word: str(details[key].get("status", "")) for key, word in _PHASES.items() if key in details},
        created=_time(created),
        modified=_time(found.get("lastModifiedTime")),
        ended=_time(done),
        seconds=_between(created, until),
        base_model=found.get("baseModelArn"),
        model_arn=found.get("outputModelArn") if state == "Completed" else None,
        failure=(found.get("failureMessage") or None) if state in FAILED else None,
        output=(found.get("outputDataConfig") or {}).get("s3Uri"),
        reward=reward,
        hyper_parameters=dict(rft.get("hyperParameters") or found.get("hyperParameters") or {}),
    )


def _time(value: object) -> str | None:
    return value.astimezone(UTC).isoformat(timespec="seconds") if isinstance(value, datetime) else None


def _between(start: object, end: object) -> float | None:
    if not (isinstance(start, datetime) and isinstance(end, datetime)):
        return None
    return max(0.0, round((end.astimezone(UTC) - start.astimezone(UTC)).total_seconds(), 1))


def watch(job: Named, ask: Ask, every: float, sleep: Callable[[float], None] = time.sleep) -> Iterator[JobStatus]:
    """How it goes, each time that something changed, until it goes on no more."""
    last = None
    while True:
        now = status_of(job, ask)
        seen = (now.status, dict(now.phases))
        if seen != last or not now.under_way:
            yield now
        if not now.under_way:
            return
        last = seen
        sleep(every)


def stop(job: Named, before: JobStatus, ask: Ask) -> JobStatus:
    """Stop it, if it goes on; how it is then."""
    if before.status != "InProgress":
        return before
    ask(Call("bedrock", "stop_model_customization_job", {"jobIdentifier": job.name}))
    return status_of(job, ask)
