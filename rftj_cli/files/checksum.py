"""The checksum of a run's store at rest: SQLite has none, and a flipped bit may look like another verdict.

the last writer closes the store --runs.seal--> run.json: store_crc --runs.refuse_damage--> commands that read it
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from pathlib import Path
from typing import Final

CHUNK: Final = 1 << 20  # bytes


def checksum(path: Path) -> int | None:
    """CRC-32 of a store's bytes; None where it is not there, or has commits that are not in the file itself yet.

    Reads the file whole, about a gigabyte a second, and once a command.
    """
    log = path.with_name(f"{path.name}-wal")
    if not path.is_file() or (log.exists() and log.stat().st_size):
        return None
    stat = path.stat()
    return _known(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=64)
def _known(path: Path, size: int, changed: int) -> int:
    crc = 0
    with path.open("rb") as file:
        while part := file.read(CHUNK):
            crc = zlib.crc32(part, crc)
    return crc
