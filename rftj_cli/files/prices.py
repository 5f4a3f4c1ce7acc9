"""Prices of judge models: dated data that the user can override, never an allow-list."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final, Literal

from rftj_cli.errors import InputError
from rftj_cli.files.yamls import Document
from rftj_cli.kernel.fields import Fields
from rftj_cli.kernel.outcome import CallError, Reply

FREE: Final = ("lexical", "length", "local", "replay")  # backends that bill nobody
Tier = Literal["default", "priority", "flex", "reserved"]
_TIERS: Final[tuple[Tier, ...]] = ("flex", "priority", "reserved")


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens, and the date and source of the figure.

    `cache_read` and `cache_write` are what tokens cost that a prompt cache gives or takes; None where unknown: they are
    then charged like other input, which no service exceeds for reads.
    """

    input: float
    output: float
    source: str
    cache_read: float | None = None
    cache_write: float | None = None

    def cost(self, input_tokens: float, output_tokens: float) -> float:
        """US dollars for one call or many, nothing of it cached."""
        return (input_tokens * self.input + output_tokens * self.output) / 1e6

    def saving(self, read: int, written: int) -> float | None:
        """US dollars that a prompt cache saved, its own surcharge deducted; None where its prices are unknown."""
        if self.cache_read is None:
            return None
        surcharge = 0.0 if self.cache_write is None else self.cache_write - self.input
        return (read * (self.input - self.cache_read) - written * surcharge) / 1e6

    def cost_of(self, answer: Reply | CallError) -> float:
        """US dollars that are known to be billed for an answer, the lost attempts before it included."""
        if isinstance(answer, CallError):
            return self.cost(answer.input_tokens, answer.output_tokens)
        read = self.input if self.cache_read is None else self.cache_read
        write = self.input if self.cache_write is None else self.cache_write
        cached = (answer.cache_read_tokens * read + answer.cache_write_tokens * write) / 1e6
        lost = self.cost(answer.lost_input_tokens, answer.lost_output_tokens)
        return self.cost(answer.input_tokens, answer.output_tokens) + cached + lost


def price_of(model: str, override: Path | None, tier: Tier = "default") -> Price | None:
    """The price of a model, from the user's file or the bundled table.

    None where neither knows the model, or where the one that knows it does not know the service tier: the price of
    another tier would be a guess. Raises `InputError` for a file that is not a price file.
    """
    if model.partition(":")[0] in FREE:
        return Price(0.0, 0.0, "runs here")
    if override is not None:
        found = _read(override, str(override)).get(model)
        if found is not None:
            return found.get(tier)
    with as_file(files("rftj_cli") / "data" / "prices.yaml") as bundled:
        return _read(bundled, "bundled prices").get(model, {}).get(tier)


def _read(path: Path, name: str) -> dict[str, dict[Tier, Price]]:
    document = Document(path, "price file")
    try:
        root = Fields(document.data)
        source = f"{name} of {root.raw('date', 'no date')}"
        models = Fields(root.raw("models"), "models")
        root.done()
        return {str(model): _tiers(models, str(model), source) for model in models.raw_items()}
    except InputError as error:
        raise document.locate(error) from None


def _tiers(models: Fields, model: str, source: str) -> dict[Tier, Price]:
    fields = Fields(models.raw(model), f"models.{model}")
    prices: dict[Tier, Price] = {"default": _price(fields, source)}
    for tier in _TIERS:
        content = fields.raw(tier, None)
        if content is not None:
            own = Fields(content, fields.path(tier))
            prices[tier] = _price(own, source)
            own.done()
    fields.done()
    return prices


def _price(fields: Fields, source: str) -> Price:
    return Price(
        fields.number("input", low=0),
        fields.number("output", low=0),
        source,
        fields.number("cache_read", None, low=0),
        fields.number("cache_write", None, low=0),
    )
