"""Prices of judge models: dated data that the user can override, never an allow-list."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from rftj_cli.errors import InputError
from rftj_cli.files.yamls import Document
from rftj_cli.kernel.fields import Fields

FREE = ("lexical", "length", "local", "replay")  # backends that bill nobody


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens, and the date and source of the figure."""

    input: float
    output: float
    source: str

    def cost(self, input_tokens: float, output_tokens: float) -> float:
        """US dollars for one call or many."""
        return (input_tokens * self.input + output_tokens * self.output) / 1e6


def price_of(model: str, override: Path | None) -> Price | None:
    """The price of a model, from the user's file or the bundled table; None where neither knows it."""
    if model.partition(":")[0] in FREE:
        return Price(0.0, 0.0, "runs here")
    if override is not None:
        found = _read(override, str(override)).get(model)
        if found is not None:
            return found
    with as_file(files("rftj_cli") / "data" / "prices.yaml") as bundled:
        return _read(bundled, "bundled prices").get(model)


def _read(path: Path, name: str) -> dict[str, Price]:
    document = Document(path, "price file")
    try:
        root = Fields(document.data)
        date = str(root.raw("date", "no date"))
        models = Fields(root.raw("models"), "models")
        root.done()
        prices: dict[str, Price] = {}
        for model in models.raw_items():
            fields = Fields(models.raw(str(model)), f"models.{model}")
            prices[str(model)] = Price(
                fields.number("input", low=0), fields.number("output", low=0), f"{name} of {date}"
            )
            fields.done()
    except InputError as error:
        raise document.locate(error) from None
    return prices
