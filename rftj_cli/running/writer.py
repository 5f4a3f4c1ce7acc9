"""The one thread that writes a run's store: rows in batches, acknowledged after the commit.

Rows are collected without waking it: it wakes by itself four times a second, or when a batch is full. Waking it for each
row would cost more than writing the row.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from rftj_cli.files.store import Store
from rftj_cli.files.store_rows import Row

BATCH_ROWS: Final = 500
BATCH_SECONDS: Final = 0.25
MOST_ROWS: Final = 20 * BATCH_ROWS  # on their way: beyond that a slow disk slows down the judging


class Writer:
    """Takes rows from any thread. `acknowledge` hears of each row that is on disk, `failed` of what the store raises."""

    def __init__(self, store: Store, acknowledge: Callable[[Row], None], failed: Callable[[Exception], None]) -> None:
        self._store, self._acknowledge, self._failed = store, acknowledge, failed
        self._rows: list[Row] = []
        self._full = threading.Condition()  # wakes the writer
        self._room = threading.Condition(threading.Lock())  # wakes those who wait for it
        self._open = True
        self._thread = threading.Thread(target=self._run, name="rftj-writer", daemon=True)
        self._thread.start()

    def put(self, row: Row) -> None:
        """Queue a row; waits where the disk is far behind."""
        self._rows.append(row)
        waiting = len(self._rows)
        if waiting % BATCH_ROWS == 0:
            with self._full:
                self._full.notify()
        if waiting > MOST_ROWS:
            with self._room:
                self._room.wait_for(lambda: len(self._rows) <= MOST_ROWS)

    def close(self) -> None:
        """Write what is queued, then end."""
        with self._full:
            self._open = False
            self._full.notify()
        self._thread.join()

    def _run(self) -> None:
        open_ = True
        while open_ or self._rows:
            if open_:
                with self._full:
                    if self._open and len(self._rows) < BATCH_ROWS:
                        self._full.wait(BATCH_SECONDS)
                    open_ = self._open
            batch = self._rows[:BATCH_ROWS]
            del self._rows[: len(batch)]
            if batch:
                self._write(batch)
                with self._room:
                    self._room.notify_all()

    def _write(self, batch: list[Row]) -> None:
        try:
            self._store.write(batch)
        except Exception as error:  # noqa: BLE001 - a full disk must stop the run, not vanish with this thread
            self._failed(error)
            return
        for row in batch:
            self._acknowledge(row)
