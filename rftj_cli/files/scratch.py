"""Files for as long as something runs, that nobody else can read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch_file(text: str, name: str) -> Iterator[Path]:
    """A file with this text; it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="rftj-") as folder:
        path = Path(folder) / name
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        yield path
