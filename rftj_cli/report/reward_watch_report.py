"""What `rftj reward watch` prints: windows, what moved, signs with what to look at, the judge's drift. No text of samples."""

from __future__ import annotations

import json as jsons
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rftj_cli.errors import counted, listed
from rftj_cli.report.blocks import Block, Entries, Facts, Grid, Heading, Lines, to_markdown
from rftj_cli.report.documents import show_json
from rftj_cli.report.words import cut, duration, interval, number, percent
from rftj_cli.reward.watch_values import Drift, Moved, Pointer, Sign, Watched, Window
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.estimate import percent as of_level

BARS = " ▁▂▃▄▅▆▇█"
NAMES = {
    "words": "words", "zero_variance": "groups with one reward", "spread": "spread in groups", "at_max": "highest reward",
    "content_failures": "failed: the answer", "service_failures": "failed: the service", "malformed": "malformed rows",
    "essential": "settled by an essential", "repeats": "same answer elsewhere",
}  # fmt: skip
TITLE = "Reward log"


def show(found: Watched, *, json: bool, markdown: bool, page: Path | None, quiet: bool) -> None:
    """Print what was found in the wanted form."""
    blocks = list(_blocks(found))
    if page is not None:
        from rftj_cli.report import html

        html.write(page, f"{TITLE}: {found.source['logs']}", blocks)
    if json:
        show_json(found)
    elif markdown:
        sys.stdout.write(to_markdown(blocks))
    else:
        from rftj_cli.report import console

        console.show(blocks)
    if not quiet:
        _advise(found, page)


def waiting(name: str, seconds: float, *, quiet: bool) -> None:
    """Say that more is waited for."""
    if not quiet:
        print(f"waiting for new results in {name}, every {duration(seconds)}; Ctrl-C ends", file=sys.stderr, flush=True)


def trouble(said: str) -> None:
    """Say that the logs could not be read this time."""
    print(f"not read: {said}; the watch goes on", file=sys.stderr, flush=True)


def ended(states: int, *, quiet: bool) -> None:
    """Say that the following has ended."""
    if not quiet:
        print(f"\nended after {counted(states, 'state')}", file=sys.stderr)


def reader(*, quiet: bool) -> Callable[[int], None]:
    """What tells how far a long log is read: a line on a terminal, else nothing."""

    def tell(results: int) -> None:
        if not quiet and sys.stderr.isatty():
            print(f"\r{results:,} results read", end="\r", file=sys.stderr, flush=True)

    return tell


def _advise(found: Watched, page: Path | None) -> None:
    if page is not None:
        print(f"written: {page}", file=sys.stderr)
    if found.chosen is None and found.signs:
        print("next: --to-label FILE writes the results to look at, and as many at random", file=sys.stderr)


def _blocks(found: Watched) -> Iterator[Block]:
    yield Facts([("watch", _answer(found)), *_facts(found)])
    yield from _signs(found)
    if found.drift is not None:
        yield from _drift(found.drift)
    yield Heading("By time (UTC)")
    yield from _windows(found)
    if found.moved:
        yield from _moved(found)
    if found.bad_lines:
        shown = f"the first {len(found.bad_lines)} of {found.counts['bad_lines']:,}"
        yield Heading(f"Bad lines ({shown})")
        yield Lines([f"{one.file}, line {one.line}: {cut(one.problem, 120)}" for one in found.bad_lines])


def _answer(found: Watched) -> str:
    """The answer in one line."""
    if found.compared is None:
        return "cannot tell yet"
    names = [one.name if one.part is None else f"{one.name} of {cut(one.part, 40)}" for one in found.signs]
    return (
        f"{counted(len(names), 'sign')}: {listed(names)}" if names else "no sign of trouble stands after the correction"
    )


def _facts(found: Watched) -> Iterator[tuple[str, str]]:
    counts = found.counts
    yield "log", f"{found.source['logs']}, {found.source['start']} to {found.source['end']}"
    aside = f"; {counted(counts['anchors'], 'result')} of anchors put aside" if counts["anchors"] else ""
    yield (
        "results",
        f"{counts['results']:,}, {counts['rewards']:,} with a reward; {counted(counts['prompts'], 'prompt')}{aside}",
    )
    yield "groups", _groups(found)
    for version in found.versions:
        if version.results:
            marks = f"judge {version.judge_fingerprint[:8] or '-'}, reward {version.reward_fingerprint[:8] or '-'}"
            yield "reward", f"{marks}: {counted(version.results, 'result')}, {version.start} to {version.end}"
    yield from (("warning", one) for one in found.warnings)
    if found.needed is not None:
        yield "cannot tell", found.needed
    if found.chosen is not None:
        one = found.chosen
        joined = "; no texts: a log holds none (--records FILE joins them)"
        if one.joined is not None:
            joined = f"; texts of {one.joined:,} from the records"
        yield (
            "to label",
            f"{one.file}: {one.suspicious:,} suspicious, {one.random:,} at random (seed {one.seed}){joined}",
        )


def _groups(found: Watched) -> str:
    gap, size = found.groups["gap_seconds"], found.groups["size"]
    text = f"{found.counts['groups']:,}, most of {counted(int(size), 'answer')} ({percent(found.groups['regular'])})"
    if gap is None:
        return f"{text}: all answers to one prompt are one group"
    return f"{text}: answers to one prompt are cut where nothing came for {duration(gap)}"


def _windows(found: Watched) -> Iterator[Block]:
    long = len({window.start[:10] for window in found.windows}) > 1
    rows, more = [], []
    for window in found.windows:
        of = window.estimates
        start = (window.start[5:16] if long else window.start[11:19]).replace("T", " ")
        start = f"{start}{'' if len(found.versions) < 2 else f' {_version(found, window)}'}"
        rows.append([
            start, f"{window.results:,}", interval(of["reward"]), bars(window.histogram), percent(of["zero_variance"].value),
            number(of["words"].value, 0), _plain(of["length_correlation"]), percent(of["failures"].value),
        ])  # fmt: skip
        more.append([
            start, f"{window.groups:,}", _quartiles(window), _plain(of["spread"]), percent(of["essential"].value),
            percent(of["malformed"].value), percent(of["retried"].value), f"{window.throttled:,}",
            number(window.latency_ms["p50"], 0), number(window.latency_ms["p95"], 0), number(window.tokens["input"], 0),
            number(window.tokens["output"], 0),
        ])  # fmt: skip
    yield Grid(["", "n", "reward", "low..high", "one\nreward", "words", "r with\nlength", "failed"], rows)
    joined = sum(window.merged - 1 for window in found.windows)
    if joined:
        yield Lines(
            [
                f"{counted(joined, 'window')} of {duration(found.groups['window_seconds'])} held few results and joined the one before"
            ]
        )
    headers = ["", "groups", "quartiles", "spread", "essen-\ntial", "mal-\nformed", "re-\ntried", "throt-\ntled", "p50\nms",
               "p95\nms", "tokens\nin", "out"]  # fmt: skip
    yield Heading("Groups, failures and calls")
    yield Grid(headers, more, instead=tuple(
        Grid([headers[0], *headers[a:b]], [[row[0], *row[a:b]] for row in more]) for a, b in ((1, 6), (6, 12))
    ))  # fmt: skip


def _version(found: Watched, window: Window) -> str:
    return found.versions[window.version].reward_fingerprint[:6]


def _quartiles(window: Window) -> str:
    return "-" if window.quartiles is None else " ".join(number(one) for one in window.quartiles)


def _plain(estimate: Estimate) -> str:
    return number(estimate.value)


def bars(counts: Sequence[int | float | None], *, top: float | None = None) -> str:
    """Small bars, one a number; something is never shown as nothing."""
    known = [one for one in counts if one is not None]
    most = top or max(known, default=0) or 1
    last = len(BARS) - 1
    return "".join(
        " " if one is None else BARS[0 if one <= 0 else max(1, min(last, round(one / most * last)))] for one in counts
    )


def _moved(found: Watched) -> Iterator[Block]:
    sides = [[w for w in found.windows if w.part == part] for part in ("early", "late")]
    times = [f"{side[0].start[:16]} to {side[-1].end[:16]}" for side in sides if side]
    yield Heading(f"Early ({times[0]}) and late ({times[1]})".replace("T", " "))
    rows = [_move(one) for one in found.moved if one.kind != "share" or any(one.by_window)]
    yield Grid(["", "early", "late", f"change [{of_level(found.level)}]", "by window"], rows, tail=1)
    words = found.trends.get("words_per_window")
    if words is not None and words.value is not None:
        yield Lines([f"words grow by {interval(words, 1)} a window"])


def _move(one: Moved) -> list[str]:
    name = NAMES.get(one.name, cut(one.name, 32))
    if one.kind == "ratio":
        change = f"x{interval(one.difference)}"
        return [name, number(one.early, 0), number(one.late, 0), change, bars(one.by_window)]
    known = [value for value in one.by_window if value is not None]
    top = 1.0 if one.kind == "share" and max(known, default=0) > 0.1 else None
    least = min([0.0, *known])
    shifted = [None if value is None else value - least for value in one.by_window]
    return [name, number(one.early), number(one.late), interval(one.difference), bars(shifted, top=top)]


def _signs(found: Watched) -> Iterator[Block]:
    if found.compared is None:
        return
    method = f"Holm over {found.tested:,} hypotheses at {1 - found.level:.2g}"
    if not found.signs:
        yield Heading("Signs of trouble: none")
        yield Lines([f"nothing that stands after {method}; that is no proof that there is nothing"])
        return
    yield Heading(f"Signs of trouble ({method}; clustered by prompt)")
    yield Entries([(_headline(sign), list(_details(sign))) for sign in found.signs])


def _headline(sign: Sign) -> str:
    part = "" if sign.part is None else f" {cut(sign.part, 60)}"
    return f"{sign.name}{part}: {sign.what}"


def _details(sign: Sign) -> Iterator[str]:
    for one in sign.moved:
        name = NAMES.get(one.name, cut(one.name, 60))
        digits = 0 if one.kind == "ratio" else 2
        factor = "x" if one.kind == "ratio" else "by "
        ends = f"{number(one.early, digits)} -> {number(one.late, digits)}"
        yield f"{name} {ends}, {factor}{interval(one.difference)}"
    since = "" if sign.since is None else f", since {sign.since}"
    p = "< .0001" if sign.p_holm < 0.0001 else f"= {number(sign.p_holm, 4)}"
    yield f"p after Holm {p}; {sign.early[0]} to {sign.early[1]} against {sign.late[0]} to {sign.late[1]}{since}"
    if sign.samples:
        yield f"look at: {'; '.join(_pointer(one) for one in sign.samples)}"


def _pointer(one: Pointer) -> str:
    id = one.id if isinstance(one.id, str) else jsons.dumps(one.id)
    return f"{cut(id, 40)} (response {one.response_sha256[:12]}, reward {number(one.reward)})"


def _drift(drift: Drift) -> Iterator[Block]:
    yield Heading("The judge itself, on anchors")
    yield Facts(list(_drift_facts(drift)))


def _drift_facts(drift: Drift) -> Iterator[tuple[str, str]]:
    failed = f"; {counted(drift.failed, 'failure')} left out" if drift.failed else ""
    yield (
        "anchors",
        (
            f"{drift.run}: {drift.matched:,} of {counted(drift.anchors, 'sample')} scored again in the log,"
            f" {counted(drift.results, 'time')} in all{failed}"
        ),
    )
    if drift.results:
        yield "difference", f"{interval(drift.difference)} to the run's own rewards (log minus run)"
        said = "the judge has changed" if drift.drifted else "no change of the judge shown"
        seen = f" after {counted(drift.stopped, 'score')}" if drift.stopped is not None else ""
        limit, now = f"{1 / drift.alpha:g}", _worth(drift.e_value)
        e = f"e reached {limit} (and is {now} now)" if drift.drifted else f"e = {now}, {limit} decides"
        yield "answer", f"{said}{seen}: {e}; anytime-valid at {drift.alpha:g}"
        if drift.drifted:
            yield "so", "what moved above may be the judge's doing and not the model's"
    if drift.note:
        yield "note", drift.note


def _worth(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}" if value < 1e6 else f"{value:.1e}"
