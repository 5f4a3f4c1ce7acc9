"""The curves of both arms and their held-out rewards as one picture (SVG), legible on light and dark pages."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WIDTH, HEIGHT, TOP, BOTTOM = 760, 300, 34, 44
LEFT, MIDDLE, RIGHT = 50, 520, 580  # the curves end at MIDDLE, the held-out rewards begin at RIGHT
SMOOTH = 5  # steps in a moving mean
NAMES = {"reward": "rewarded", "shuffled": "control: rewards shuffled"}
STYLE = """
 text { font: 12px system-ui, sans-serif; fill: #444 }
 .axis, .grid { stroke: #999; stroke-width: 1; fill: none } .grid { opacity: .3 }
 .reward { stroke: #0b6fb8; fill: #0b6fb8 } .shuffled { stroke: #b35900; fill: #b35900 }
 .line { fill: none; stroke-width: 2.5 } .raw { fill: none; stroke-width: 1; opacity: .4 }
 .bar { stroke-width: 2 } .label { stroke: none }
 @media (prefers-color-scheme: dark) {
  text { fill: #ccc }
  .reward { stroke: #58aee8; fill: #58aee8 } .shuffled { stroke: #f0a050; fill: #f0a050 }
  .line, .raw { fill: none } .label { stroke: none }
 }"""


def curve(path: Path) -> list[float]:
    """The mean reward of each step."""
    with path.open(encoding="utf-8") as file:
        return [float(row["mean_reward"]) for row in csv.DictReader(file)]


def smooth(values: Sequence[float]) -> list[float]:
    """The mean of each value and up to four before it."""
    return [sum(values[max(0, i - SMOOTH + 1) : i + 1]) / len(values[max(0, i - SMOOTH + 1) : i + 1])
            for i in range(len(values))]  # fmt: skip


def y(value: float) -> float:
    return HEIGHT - BOTTOM - value * (HEIGHT - TOP - BOTTOM)


def line(values: Sequence[float], kind: str) -> str:
    step = (MIDDLE - LEFT) / max(1, len(values) - 1)
    points = " ".join(f"{LEFT + index * step:.1f},{y(value):.1f}" for index, value in enumerate(values))
    return f'<polyline class="{kind}" points="{points}"/>'


def axes(steps: int) -> list[str]:
    found = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        found.append(f'<path class="grid" d="M{LEFT} {y(tick):.1f}H{MIDDLE}M{RIGHT} {y(tick):.1f}H{WIDTH - 10}"/>')
        found.append(f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    found.append(f'<path class="axis" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{MIDDLE}"/>')
    for step in sorted({1, *range(10, steps + 1, 10)}):
        x = LEFT + (step - 1) * (MIDDLE - LEFT) / max(1, steps - 1)
        found.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle">{step}</text>')
    middle = (LEFT + MIDDLE) / 2
    found.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">step</text>')
    found.append(f'<text x="{LEFT}" y="18">mean reward in training</text>')
    found.append(f'<text x="{RIGHT}" y="18">on held-out topics</text>')
    return found


def held_out(arm: str, figures: dict[str, Any], shift: int) -> list[str]:
    """Mean rewards before and after, each with its 95% interval."""
    found, places = [], []
    for side, x in (("before", RIGHT + 40 + shift), ("after", WIDTH - 60 + shift)):
        one = figures[side]
        places.append(f"{x},{y(one['value']):.1f}")
        found.append(f'<path class="{arm} bar" d="M{x} {y(one["low"]):.1f}V{y(one["high"]):.1f}"/>')
        found.append(f'<circle class="{arm}" cx="{x}" cy="{y(one["value"]):.1f}" r="4"/>')
    return [f'<polyline class="{arm} raw" points="{" ".join(places)}"/>', *found]


def main() -> None:
    """Draw what compare.py has kept: curve.py FOLDER PICTURE."""
    out, picture = Path(sys.argv[1]), Path(sys.argv[2])
    arms = json.loads((out / "summary.json").read_text(encoding="utf-8"))["arms"]
    parts = axes(max(one["steps"] for one in arms.values()))
    for index, (arm, figures) in enumerate(arms.items()):
        values = curve(out / arm / "curve.csv")
        parts += [line(values, f"{arm} raw"), line(smooth(values), f"{arm} line")]
        parts += held_out(arm, figures, 10 * index - 5)
        place = y(0.13 - 0.08 * index)
        parts.append(f'<text class="{arm} label" x="{LEFT + 14}" y="{place:.1f}">{NAMES[arm]}</text>')
    for side, x in (("before", RIGHT + 40), ("after", WIDTH - 60)):
        parts.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle">{side}</text>')
    title = "Mean reward by step, and on held-out topics before and after, with a shuffled control"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{title}</title>'
    text = "\n".join([head, f"<style>{STYLE}\n</style>", *parts, "</svg>"])
    picture.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
