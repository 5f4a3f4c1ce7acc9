"""The plain reward function: the same rewards as `rftj score`, in order, whatever happens to single rows or calls."""

from __future__ import annotations

import json
import pickle
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from making import data, pair_data, rubric, write_rows, write_rubric

from rftj_cli.errors import CannotTell, InputError
from rftj_cli.files.rubrics import load_rubric
from rftj_cli.files.runs import open_run
from rftj_cli.files.samples import SampleFile
from rftj_cli.judges.lexical import LexicalJudge
from rftj_cli.kernel.answering import answered
from rftj_cli.kernel.compile import compile_rubric
from rftj_cli.kernel.evaluate import prepare
from rftj_cli.kernel.events import event_row
from rftj_cli.kernel.events import read_row as lambda_row
from rftj_cli.kernel.outcome import Failure, Outcome, Reply
from rftj_cli.kernel.scoring import Scorer
from rftj_cli.main import run
from rftj_cli.reward.function import Result, RewardFunction, reward_function
from rftj_cli.reward.logline import log_line
from rftj_cli.running.recordings import ImportedFile
from rftj_cli.testing import FakeJudgeServer, Faults

ROOT = Path(__file__).resolve().parents[2]
DATA, RUBRICS = ROOT / "datasets" / "contract-review", ROOT / "prompts" / "contract-review"
PASS = '{"quality": {"reason": "fine", "level": "pass"}}'


def level_of(number: int) -> str:
    return "pass" if number % 3 else "fail"


def by_number(body: dict[str, Any]) -> str:
    """The right answer for `number N`."""
    found = re.search(r"number (\d+)", body["messages"][-1]["content"])
    assert found is not None
    return json.dumps({"quality": {"reason": "because", "level": level_of(int(found[1]))}})


def numbers(count: int) -> list[dict[str, Any]]:
    return [{"id": f"s{i}", "prompt": "Say a number.", "response": f"number {i}"} for i in range(count)]


def scored(*arguments: object) -> dict[str, tuple[float | None, Outcome]]:
    """Sample id -> reward and outcome, as `rftj score` has them."""
    assert run(["score", *(str(one) for one in arguments), "--run", "runs/scored", "--quiet"]) == 0
    found = {}
    for row, outcome in open_run("runs/scored").store().outcomes():
        found[row.sample.id] = (outcome.reward.value, outcome.outcome)
    return found


def same(outcome: Outcome | None, other: Outcome) -> bool:
    """Whether two outcomes are one; what a failure is worded like may name attempts."""
    if isinstance(outcome, Failure) and isinstance(other, Failure):
        return outcome.stage == other.stage
    return outcome == other


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def function(server: FakeJudgeServer) -> Iterator[RewardFunction]:
    """The smallest rubric, judged by a service that passes everything."""
    with reward_function(rubric(), base_url=server.base_url, workers=4) as made:
        yield made


@pytest.mark.parametrize("name", ["brief", "defined", "rating-1-10"])
def test_recorded_replies_give_the_rewards_of_score(name: str, home: Path) -> None:
    """The 144 recorded replies of the bundled example, served once more, give every outcome and reward as they were."""
    model = "judge.model=openai:recorded"
    loaded = load_rubric(RUBRICS / f"{name}.yaml", (model,))
    replies, answers = ImportedFile(DATA / "replies" / f"{name}.jsonl"), dict[str, str]()
    for _, sample in SampleFile(DATA / "samples.jsonl", "rubric"):
        for ask in prepare(loaded, sample).asks:
            reply = replies.find(sample.id, ask)
            assert isinstance(reply, Reply)
            answers[ask.request.user] = reply.text
    expected = scored(RUBRICS / f"{name}.yaml", DATA / "samples.jsonl", "--set", model,
                      "--import-replies", DATA / "replies" / f"{name}.jsonl")  # fmt: skip
    rows = rows_of(DATA / "samples.jsonl")
    with (
        FakeJudgeServer(lambda body: answers[body["messages"][-1]["content"]]) as server,
        reward_function(RUBRICS / f"{name}.yaml", set=[model], base_url=server.base_url) as function,
    ):
        results = function(rows)
    for row, result in zip(rows, results, strict=True):
        value, outcome = expected[row["id"]]
        assert result.value == value and same(result.outcome, outcome), row["id"]


def test_the_lexical_judge_gives_the_rewards_of_score(home: Path) -> None:
    """A judge in this process: the same outcomes, no service, no key."""
    model = "judge.model=lexical"
    path, rows = RUBRICS / "brief.yaml", rows_of(DATA / "samples.jsonl")
    expected = scored(path, DATA / "samples.jsonl", "--set", model)
    results = reward_function(path, set=[model])(rows)
    assert [(one.value, one.outcome) for one in results] == [expected[row["id"]] for row in rows]
    assert len({one.value for one in results}) > 2


def test_the_deployed_function_gives_the_same_rewards_and_log_lines() -> None:
    """Sample by sample as events through the Lambda's kernel: value, parts, hashes, all but times and names."""
    changes = ("judge.model=lexical", "reward.on_failure={service: 0, content: 0}")
    loaded = load_rubric(RUBRICS / "brief.yaml", changes)
    events = [event_row(sample) for _, sample in SampleFile(DATA / "samples.jsonl", "rubric")][:40]
    events[3] = {"id": "odd", "messages": [{"role": "user", "content": "no answer"}]}
    scorer = Scorer(loaded, LexicalJudge())
    for event, result in zip(events, reward_function(loaded)(events), strict=True):
        row = lambda_row(event)
        scored = None if row.sample is None else scorer.score([row.sample], 10.0)[0]
        theirs = dict(answered(loaded, row, scored, "request").log)
        ours = log_line(loaded, result, request="request")
        if row.sample is None:  # a constant there, as AWS wants a number for each row; None here
            assert (theirs["outcome"], ours["outcome"], result.value) == ("malformed", "malformed", None)
            continue
        varying = {"at": "", "latency_ms": 0.0}
        assert {**ours, **varying} == {**theirs, **varying}


def test_faults_of_the_service_change_no_reward(home: Path) -> None:
    """What retries mend is mended, what is content fails as in `score`, and every row has its own answer."""
    kinds = ("429", "500", "reset", "truncated", "html", "empty", "filtered", "refusal")
    faults = Faults(rate=0.3, kinds=kinds, seed=5, retry_after=0.05)
    path = write_rubric(home, reward={"on_failure": {"content": 0.25}})
    with (
        FakeJudgeServer(by_number, faults=faults, threads=0) as server,
        reward_function(path, base_url=server.base_url, workers=16, timeout=20) as function,
    ):
        results = function(numbers(150))
    stages = {result.failure for result in results}
    assert stages == {None, "filtered", "refused"}
    for number, result in enumerate(results):
        right = float(level_of(number) == "pass")
        assert result.value == (0.25 if result.failure else right)
    assert sum(function.counts.values()) == 150 and function.counts["verdict"] == stages_counted(results, None)


def stages_counted(results: list[Result], stage: str | None) -> int:
    return sum(result.failure == stage for result in results)


def test_threads_share_one_function_and_its_connections() -> None:
    """Eight threads get their own rows back, over no more connections than there are workers."""
    with (
        FakeJudgeServer(by_number, threads=0) as server,
        reward_function(rubric(), base_url=server.base_url, workers=4) as function,
    ):
        found: dict[int, list[float | None]] = {}

        def work(thread: int) -> None:
            rows = [{"response": f"number {thread * 1000 + i}"} for i in range(20)]
            found[thread] = [result.value for result in function(rows)]

        threads = [threading.Thread(target=work, args=(one,)) for one in range(8)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert server.requests == 160
        assert server.counts()["connections"] <= 4
    for thread, values in found.items():
        assert values == [float(level_of(thread * 1000 + i) == "pass") for i in range(20)]


def test_equal_requests_are_asked_once(server: FakeJudgeServer, function: RewardFunction) -> None:
    """The same answer five times is one call, also in a later batch; other answers are others."""
    results = function([{"id": str(i), "response": "again"} for i in range(5)])
    function([{"response": "again"}, {"response": "new"}])
    assert server.requests == 2
    assert [result.calls for result in results] == [1, 0, 0, 0, 0]
    assert [result.value for result in results] == [1.0] * 5


def test_each_row_has_its_own_time() -> None:
    """A quick answer behind a slow one took as long as it took."""

    def slow_first(body: dict[str, Any]) -> str:
        time.sleep(0.6 if "slow" in body["messages"][-1]["content"] else 0.0)
        return PASS

    with FakeJudgeServer(slow_first) as server, reward_function(rubric(), base_url=server.base_url) as function:
        function([{"response": "first"}])
        slow, quick = function([{"response": "slow"}, {"response": "quick"}])
    assert slow.seconds >= 0.6 and quick.seconds < slow.seconds


def test_a_bad_row_is_its_own_failure(function: RewardFunction) -> None:
    """What is no sample has no reward and a reason; its neighbours are judged."""
    bad: list[Any] = [{"prompt": "no answer"}, 7, {"response": 3}, {"messages": [{"role": "user", "content": "q"}]},
                      {"response": "x", "criteria": "none"}]  # fmt: skip
    rows = [{"response": "good"}, *bad, {"response": "good too"}]
    results = function(rows)
    assert [result.value for result in results] == [1.0, *[None] * len(bad), 1.0]
    assert all(result.failure == "malformed" and result.note for result in results[1:-1])
    assert function.counts == {"verdict": 2, "malformed": len(bad)}


def test_a_name_that_the_row_lacks_is_the_rows_failure(server: FakeJudgeServer) -> None:
    function = reward_function(rubric(prompt={"user": "{{ source }} {{ response }}"}), base_url=server.base_url)
    results = function([{"response": "a", "source": "s"}, {"response": "b"}])
    assert [result.value for result in results] == [1.0, None]
    assert "source" in results[1].note


def test_an_essential_check_settles_without_a_call(server: FakeJudgeServer) -> None:
    """The bottom of the range, no request, no failure of the judge."""
    checks = [{"id": "json", "type": "json_valid", "essential": True}]
    with reward_function(rubric(checks=checks), base_url=server.base_url, on_failure="none") as function:
        (result,) = function([{"response": "not json"}])
    assert (result.value, result.essential, result.failure, result.failed) == (0.0, "json", None, False)
    assert server.requests == 0 and result.parts == {"json": 0.0}


@pytest.mark.parametrize(("rule", "value"), [("rubric", 0.0), ("none", None)])
def test_what_a_failure_is_worth(rule: Any, value: float | None) -> None:
    """As the rubric says, or nothing at all."""
    settings = {"on_failure": {"service": "error", "content": 0}}
    with (
        FakeJudgeServer("no verdict in here") as server,
        reward_function(rubric(reward=settings), base_url=server.base_url, on_failure=rule) as function,
    ):
        (result,) = function([{"response": "a"}])
    assert (result.failure, result.value, result.failed) == ("unparsed", value, True)


def test_events_and_samples_are_one() -> None:
    """Messages, blocks of text, and what an event keeps under `metadata`."""
    seen: list[str] = []

    def note(body: dict[str, Any]) -> str:
        seen.append(body["messages"][-1]["content"])
        return PASS

    turns = [{"role": "user", "content": "q"}, {"role": "nova_assistant", "content": [{"type": "text", "text": "a"}]}]
    with FakeJudgeServer(note) as server:
        made = rubric(prompt={"user": "{{ prompt }}|{{ response }}|{{ reference }}", "answer_format": "none"})
        with reward_function(made, base_url=server.base_url, remember=0) as function:
            function([{"messages": turns, "metadata": {"reference_answer": "r"}, "reference_answer": "other"}])
            function([{"prompt": "q", "response": "a", "reference": "r", "split": "validation", "labels": 3}])
    assert seen == ["q|a|r", "q|a|r"]


@pytest.mark.parametrize("kind", ["401", "404"])
def test_what_no_retry_can_mend_is_raised(kind: str) -> None:
    """Credentials that are refused end the training instead of giving every answer the same nothing."""
    with (
        FakeJudgeServer(PASS, faults=Faults(script=[kind] * 50)) as server,
        reward_function(rubric(), base_url=server.base_url, workers=2) as function,
        pytest.raises(CannotTell, match="cannot be used"),
    ):
        function(numbers(40))
    assert server.requests <= 4


@pytest.mark.parametrize(
    ("kind", "stage"), [("400", "call"), ("empty", "call"), ("403", "call"), ("too-long", "too_long")]
)
@pytest.mark.parametrize("bad", [0, 5, 11])
def test_one_bad_row_is_its_own_failure(kind: str, stage: str, bad: int) -> None:
    if kind == "403" and bad == 0:
        pytest.skip("before anything was answered, refused credentials end it at once")
    rows = [{"response": f"number {i}." + " POISON" * (i == bad)} for i in range(12)]
    with (
        FakeJudgeServer(PASS, faults=Faults(marked={"POISON": kind})) as server,
        reward_function(rubric(), base_url=server.base_url, workers=2, timeout=3) as function,
    ):
        results = function(rows)
    assert [result.failure for result in results] == [stage if i == bad else None for i in range(12)]


def test_a_dead_judge_fails_soon_and_comes_back() -> None:
    """All rows of the batch fail together; the next batch is judged once the service is there."""
    with FakeJudgeServer(PASS) as server:
        faults = Faults(script=["500"] * 200)
        server.faults = faults
        with reward_function(rubric(), base_url=server.base_url, workers=8, timeout=1.0) as function:
            results = function(numbers(40))
            assert {result.failure for result in results} == {"call"}
            assert all(result.value is None for result in results)
            server.faults = Faults()
            assert [result.value for result in function(numbers(40))] == [1.0] * 40


def test_the_cost_ceiling_ends_it(home: Path) -> None:
    """Once the ceiling is reached nothing more is asked; what is spent is told."""
    prices = home / "prices.yaml"
    prices.write_text("date: 2026-11-01\nmodels:\n  openai:fake: {input: 1000, output: 1000}\n", encoding="utf-8")
    with FakeJudgeServer(PASS) as server:
        made = reward_function(rubric(), base_url=server.base_url, workers=1, max_cost=0.5, prices=prices)
        with made as function, pytest.raises(CannotTell, match="max_cost"):
            function(numbers(100))
        assert server.requests < 100 and function.spent is not None and 0 < function.spent <= 0.6


def test_a_ceiling_without_a_price_is_refused() -> None:
    with pytest.raises(InputError, match="price"):
        reward_function(rubric(), max_cost=1.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: reward_function(compile_rubric(pair_data())),
        lambda: reward_function(rubric(), on_failure="zero"),  # type: ignore[arg-type]
        lambda: reward_function(rubric(), workers=0),
        lambda: reward_function(rubric(), timeout=0),
        lambda: reward_function(rubric(), set=["judge.votes=3"]),
        lambda: reward_function(Path("absent.yaml")),
    ],
)
def test_wrong_settings_are_refused(make: Callable[[], object]) -> None:
    """Before anything is called, with the name of what is wrong."""
    with pytest.raises(InputError):
        make()


def test_a_judge_that_is_not_set_up_is_no_fault_of_the_row() -> None:
    """The error reaches the caller: no row of any batch could be judged."""
    with pytest.raises(InputError, match="recordings"):
        reward_function(rubric(judge={"model": "replay:x"}))([{"response": "a"}])


def test_a_pickled_function_judges_alike(server: FakeJudgeServer, function: RewardFunction) -> None:
    """Trainers send reward functions to other processes."""
    copy = pickle.loads(pickle.dumps(function))
    assert [result.value for result in copy([{"response": "a"}])] == [1.0]
    copy.close()


def test_checks_alone_need_no_judge() -> None:
    """A rubric without criteria is a rule, and asks nobody."""
    source: Mapping[str, Any] = data(
        criteria=None,
        checks=[{"id": "short", "type": "max_words", "max": 2}, {"id": "has", "type": "contains", "text": "x"}],
    )
    results = reward_function(compile_rubric(source))([{"response": "x"}, {"response": "one two three"}])
    assert [result.value for result in results] == [1.0, 0.0]
    assert results[0].parts == {"short": 1.0, "has": 1.0}


def test_a_row_may_bring_criteria_of_its_own(server: FakeJudgeServer, function: RewardFunction) -> None:
    """Also out of a table, where what a criterion does not say is None."""
    own = {"id": "tone", "question": "Is it kind?", "weight": None, "scale": None}
    server.rule = '{"quality": {"level": "pass"}, "tone": {"level": "fail"}}'
    (result,) = function([{"response": "x", "criteria": [own]}])
    assert result.value == 0.5 and result.parts == {"quality": 1.0, "tone": 0.0}


def test_files_of_samples_are_rows(home: Path) -> None:
    """A row of a samples file goes in as it is."""
    path = write_rows(home / "samples.jsonl", [{"id": "s1", "response": "x", "label": "pass", "group": "g"}])
    source = data(criteria=None, checks=[{"id": "has", "type": "contains", "text": "x"}])
    (result,) = reward_function(compile_rubric(source))(rows_of(path))
    assert result.value == 1.0 and result.sample is not None and result.sample.id == "s1"
