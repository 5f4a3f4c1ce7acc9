"""Prices: the bundled table, the user's own file, tiers, caches, and faults with their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from rftj_cli.errors import InputError
from rftj_cli.files.prices import Price, Tier, price_of
from rftj_cli.kernel.outcome import CallError, Reply

NOVA = "bedrock:us.amazon.nova-2-lite-v1:0"
HAIKU = "bedrock:global.anthropic.claude-haiku-4-5-20251001-v1:0"


def written(folder: Path, models: str) -> Path:
    path = folder / "prices.yaml"
    path.write_text(f"date: 2026-11-20\nmodels:\n{models}", encoding="utf-8")
    return path


def test_the_bundled_table_is_dated() -> None:
    price = price_of(NOVA, None)
    assert price is not None
    assert (price.input, price.output, price.cache_read, price.cache_write) == (0.33, 2.75, 0.0825, None)
    assert price.source == "bundled prices of 2026-11-01"


@pytest.mark.parametrize(
    ("model", "tier", "found"),
    [
        (NOVA, "flex", (0.165, 1.375)),
        ("bedrock:openai.gpt-oss-120b-1:0", "flex", (0.075, 0.30)),
        ("bedrock:openai.gpt-oss-120b-1:0", "priority", (0.2625, 1.05)),
        ("bedrock:qwen.qwen3-32b-v1:0", "flex", (0.075, 0.30)),
        ("bedrock:us.amazon.nova-pro-v1:0", "flex", (0.40, 1.60)),
    ],
)
def test_tiers_have_prices_of_their_own(model: str, tier: Tier, found: tuple[float, float]) -> None:
    price = price_of(model, None, tier)
    assert price is not None and (price.input, price.output) == found


@pytest.mark.parametrize("tier", ["flex", "priority", "reserved"])
def test_a_tier_without_a_price_has_no_other_tiers_price(tier: Tier) -> None:
    assert price_of(HAIKU, None) is not None
    assert price_of(HAIKU, None, tier) is None


def test_prices_are_plausible() -> None:
    """No price is off by a factor of a thousand, and what is cached never costs more than half as much again."""
    for model in (NOVA, HAIKU, "openai:gpt-4.1-mini", "bedrock:global.anthropic.claude-sonnet-5-5"):
        price = price_of(model, None)
        assert price is not None
        assert 0.01 < price.input <= price.output < 100
        assert price.cache_read is not None and price.cache_read < price.input / 2
        assert price.cache_write is None or price.input <= price.cache_write <= 1.5 * price.input


@pytest.mark.parametrize("model", ["lexical:bigrams", "length:characters", "local:smollm2", "replay:any"])
@pytest.mark.parametrize("tier", ["default", "flex"])
def test_what_runs_here_is_free(model: str, tier: Tier) -> None:
    assert price_of(model, None, tier) == Price(0.0, 0.0, "runs here")


def test_an_unknown_model_has_no_price() -> None:
    assert price_of("bedrock:nobody.knows-1:0", None) is None


def test_the_users_file_comes_first(tmp_path: Path) -> None:
    path = written(tmp_path, f"  {NOVA}: {{input: 1, output: 2, cache_read: 0.5, flex: {{input: 0.1, output: 0.2}}}}\n")
    source = f"{path} of 2026-11-20"
    assert price_of(NOVA, path) == Price(1.0, 2.0, source, cache_read=0.5)
    assert price_of(NOVA, path, "flex") == Price(0.1, 0.2, source)
    assert price_of(NOVA, path, "priority") is None, "the bundled table may be about another contract"
    assert price_of(HAIKU, path) == price_of(HAIKU, None)


@pytest.mark.parametrize(
    ("models", "row", "key", "hint"),
    [
        ("  openai:m: {input: 1}\n", 3, "models.openai:m.output", ""),
        ("  openai:m: {input: 1, outptu: 2}\n", 3, "models.openai:m.output", "outptu"),
        ("  openai:m: {input: 1, output: -2}\n", 3, "models.openai:m.output", ""),
        ("  openai:m: {input: 1, output: 2, cache_raed: 1}\n", 3, "models.openai:m.cache_raed", "cache_read"),
        ("  openai:m: {input: 1, output: 2, flexx: {}}\n", 3, "models.openai:m.flexx", "flex"),
        ("  openai:m:\n    input: 1\n    output: 2\n    flex: {input: 1}\n", 6, "models.openai:m.flex.output", ""),
        ("  openai:m:\n    input: 1\n    output: 2\n    flex: 3\n", 6, "models.openai:m.flex", ""),
    ],
)
def test_faults_of_a_price_file_have_their_place(tmp_path: Path, models: str, row: int, key: str, hint: str) -> None:
    path = written(tmp_path, models)
    with pytest.raises(InputError) as caught:
        price_of("openai:m", path)
    assert (caught.value.file, caught.value.row, caught.value.key) == (str(path), row, key)
    assert hint in (caught.value.hint or "")


def test_cached_tokens_have_their_own_price() -> None:
    reply = Reply("x", input_tokens=100, output_tokens=10, cache_read_tokens=1000, cache_write_tokens=200)
    price = Price(1.0, 5.0, "test", cache_read=0.1, cache_write=1.25)
    assert price.cost_of(reply) * 1e6 == pytest.approx(100 + 50 + 100 + 250)
    assert Price(1.0, 5.0, "test").cost_of(reply) * 1e6 == pytest.approx(100 + 50 + 1000 + 200)
    assert Price(1.0, 5.0, "test", cache_read=0.0).cost_of(reply) * 1e6 == pytest.approx(100 + 50 + 200)


def test_lost_attempts_are_paid_for() -> None:
    price = Price(1.0, 5.0, "test")
    reply = Reply("x", input_tokens=100, output_tokens=10, lost_input_tokens=70, lost_output_tokens=3)
    assert price.cost_of(reply) == price.cost(170, 13)
    assert price.cost_of(CallError("call", "no", input_tokens=40, output_tokens=2, billed=True)) == price.cost(40, 2)
    assert price.cost_of(CallError("throttled", "429")) == 0.0
