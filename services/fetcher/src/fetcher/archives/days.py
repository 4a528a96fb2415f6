"""What the files of days say of slots that the file of their month holds, too."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from candlelog.events.candles import CANDLE_SCHEMA
from candlelog.market.archives import ArchiveFile
from candlelog.market.ranges import overlap
from fetcher.archives.gate import FileRefused, opened
from fetcher.archives.reading import Reading
from fetcher.archives.sieve import Wanted
from fetcher.domain.file_summary import Said


def said_by_days(root: Path, days: Iterable[ArchiveFile], wanted: Wanted) -> list[Said]:
    """What those of the files say that are there and whole, of what is wanted of their month."""
    found: list[Said] = []
    for day in days:
        window = day.period and overlap(day.period, wanted.window)
        if window is None:
            continue
        with suppress(FileNotFoundError, FileRefused), opened(root / day.path) as content:
            reading = Reading(content, replace(wanted, window=window, named=day.period))
            parts = [part.page.rows for part in reading.parts()]
            if reading.holds_candles:
                found.append(Said(window, pa.Table.from_batches(parts, CANDLE_SCHEMA)))
    return found
