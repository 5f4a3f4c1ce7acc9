"""The command line: registers the commands, and is the one place where an error becomes an exit code.

0 yes   1 the answer is no   2 wrong input   3 cannot tell   70 a bug in rftj   130 interrupted
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from functools import cache
from typing import Any, NoReturn

import typer
from typer.main import get_command

from rftj_cli import __version__
from rftj_cli.commands import (
    calibrate,
    check,
    demo,
    diff_prompts,
    errors,
    gate,
    local,
    plan,
    refine,
    rescore,
    reward_audit,
    reward_build,
    reward_deploy,
    reward_export,
    reward_invoke,
    reward_template,
    reward_verify,
    reward_watch,
    rft_prepare,
    rft_sample,
    rft_status,
    rft_stop,
    rft_submit,
    run_repair,
    score,
    show,
)
from rftj_cli.errors import CannotTell, InputError, Interrupted, RftjError, Told
from rftj_cli.kernel.secrets import forget, keep_given, redacted_error
from rftj_cli.report.copied import set_apart
from rftj_cli.report.documents import show_json
from rftj_cli.report.streams import patient_streams

# Whatever click calls itself (typer vendors it from 0.26 on): the root of its usage errors.
_ClickException: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

app = typer.Typer(
    help="Develop and calibrate LLM judges that become reward functions.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
local_app = typer.Typer(help="The small model that runs on this machine.", rich_markup_mode=None, no_args_is_help=True)
reward_app = typer.Typer(
    help="From the calibrated rubric to a reward function in AWS Lambda.", rich_markup_mode=None, no_args_is_help=True
)
run_app = typer.Typer(help="Run folders.", rich_markup_mode=None, no_args_is_help=True)
rft_app = typer.Typer(
    help="Rollouts, data set and job of reinforcement fine-tuning.", rich_markup_mode=None, no_args_is_help=True
)
app.command("demo", short_help="The whole loop on a bundled example: no account, no network.")(demo.demo)
app.command("check", short_help="Validate everything, show a prompt, forecast the cost.")(check.check)
app.command("score", short_help="Run the judge over samples and keep every reply.")(score.score)
app.command("rescore", short_help="Verdicts and rewards again, from stored replies.")(rescore.rescore)
app.command("calibrate", short_help="Measure agreement with the labels, with intervals.")(calibrate.calibrate)
app.command("diff-prompts", short_help="What changed between judges, and which is better.")(diff_prompts.diff_prompts)
app.command("errors", short_help="The disagreements with the labels, sorted and clustered.")(errors.errors)
app.command("show", short_help="One sample from prompt to reward, or a list of failures.")(show.show)
app.command("gate", short_help="PASS (exit 0), FAIL (1) or UNDECIDED (3), for CI.")(gate.gate)
app.command("plan", short_help="How many labels, and which samples to label next.")(plan.plan)
app.command("refine", short_help="Propose edits of a prompt, test each, keep what holds up.")(refine.refine)
local_app.command("install")(local.install)
reward_app.command("audit", short_help="Is the judge fit to be a reward?")(reward_audit.audit)
reward_app.command("build", short_help="Package the rubric as the zip that AWS Lambda runs.")(reward_build.build)
reward_app.command("invoke", short_help="Run the zip on this machine, as Lambda would.")(reward_invoke.invoke)
reward_app.command("verify", short_help="Prove that the zip scores as it was measured.")(reward_verify.verify)
reward_app.command("template", short_help="The deployment as CloudFormation and IAM JSON.")(reward_template.template)
reward_app.command("deploy", short_help="Deploy a pinned version: plan, then execute.")(reward_deploy.deploy)
reward_app.command("export", short_help="The rubric for SageMaker and Bedrock Evaluations.")(reward_export.export)
reward_app.command("watch", short_help="Watch the reward logs of a training run.")(reward_watch.watch)
rft_app.command("sample", short_help="Rollouts of the model that is to be trained.")(rft_sample.sample)
rft_app.command("prepare", short_help="Samples to the RFT data set, checked by every rule.")(rft_prepare.prepare)
rft_app.command("submit", short_help="Upload the data and start the training job.")(rft_submit.submit)
rft_app.command("status", short_help="How a training job goes.")(rft_status.status)
rft_app.command("stop", short_help="Stop a training job.")(rft_stop.stop)
run_app.command("repair", short_help="Save what can be read of a damaged run.")(run_repair.repair)
app.add_typer(local_app, name="local")
app.add_typer(run_app, name="run", short_help="Save what can be read of a damaged run.")
app.add_typer(reward_app, name="reward", short_help="From the calibrated rubric to a reward function in Lambda.")
app.add_typer(rft_app, name="rft", short_help="Rollouts, data set and job of reinforcement fine-tuning.")


def _version(show: bool) -> None:
    if show:
        typer.echo(f"rftj {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    pass


@cache
def _command() -> Callable[..., Any]:
    """What runs a command line; made once, because reading the options of all commands takes 0.2 s."""
    return get_command(app)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run one command and leave with its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    sys.exit(run(given))


def run(arguments: list[str]) -> int:
    """Run one command; its exit code. Errors are printed as a sentence, or as JSON under `--json`."""
    forget()
    keep_given(arguments, os.environ)
    with patient_streams():
        return _run(arguments, as_json="--json" in arguments)


def _run(arguments: list[str], *, as_json: bool) -> int:
    try:
        code = _command()(args=arguments, prog_name="rftj", standalone_mode=False)
        sys.stdout.flush()
    except RftjError as error:
        return _tell(error, error.exit_code, as_json)
    except _ClickException as error:
        if type(error).__name__ == "NoArgsIsHelpError" and not as_json:
            typer.echo(_message(error), err=True)
            return 2
        return _tell(error, 2, as_json)
    except (KeyboardInterrupt, typer.Abort):
        code = Interrupted.exit_code
    except Exception as error:  # noqa: BLE001 - the last line of defence
        if (foreseen := _from_outside(error)) is not None:
            return _tell(foreseen, foreseen.exit_code, as_json)
        typer.echo(redacted_error(traceback.format_exc()), err=True, nl=False)
        typer.echo(f"rftj {__version__}: this is a bug in rftj; please report it with the lines above.", err=True)
        return _tell(error, 70, as_json) if as_json else 70
    if code == Interrupted.exit_code and not isinstance(code, Told):  # typer makes an exit code of Ctrl-C
        return _tell(Interrupted("interrupted"), code, as_json)
    return code if isinstance(code, int) else 0


def _from_outside(error: Exception) -> RftjError | None:
    """What the system or a damaged store did to a command, in words; None for a bug."""
    if isinstance(error, OSError) and error.errno is not None:
        where = "" if error.filename is None else f": {error.filename}"
        return CannotTell(f"the system refused: {error.strerror}{where}")
    if type(error).__module__ == "sqlite3" and any(one.__name__ == "DatabaseError" for one in type(error).__mro__):
        if str(getattr(error, "sqlite_errorname", "")).startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY")):
            return CannotTell(f"the system refused: {error}")
        return InputError(
            f"the run's store is damaged or cannot be read: {error}",
            hint="`rftj run repair RUN` saves what can be read",
        )
    return None


def _message(error: Exception) -> str:
    return str(getattr(error, "format_message", lambda: str(error))())


def _tell(error: Exception, code: int, as_json: bool) -> int:
    shown = redacted_error(_message(error))
    if as_json:
        located = {}
        if isinstance(error, InputError):
            located = {
                name: getattr(error, name) for name in ("problem", "file", "row", "key", "found", "expected", "hint")
            }
        document = {
            "schema": "rftj.error/1",
            "exit_code": code,
            "kind": type(error).__name__,
            "message": shown,
            **located,
        }
        show_json(document)
    else:
        label = "stopped" if code == 130 else "error" if code in (2, 70) else "cannot tell"
        typer.echo(set_apart(f"{label}: {shown}"), err=True)
    return code
