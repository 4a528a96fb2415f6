"""From the text of a file to columns, in blocks of whole lines: memory does not grow with the file.

A block in which all lines are as they should be is read at once. One in which a line is not is read
line by line: each is a candle of one of the venue's layouts, or malformed. Both ways give the same.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import IO, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from candlelog.events.candles import QuarantinedRow
from candlelog.events.fields import LATEST
from candlelog.market.candles import Columns, Mask
from candlelog.market.pages import Layout
from candlelog.market.timeframe import from_milliseconds, milliseconds
from fetcher.archives.text import whole_lines

BINANCE: Final = (Layout(width=12, quote_volume=7, trades=8),)
KRAKEN: Final = (
    Layout(width=7, unit=1000, trades=6),
    Layout(width=8, unit=1000, prices=(1, 2, 3, 4, 6), trades=7),  # 5 is the average price
)
"""What a line may be. All layouts of a venue name the same columns, and the trades among them."""

BLOCK_BYTES: Final = 4 * 1024**2
_RAW_LIMIT: Final = 500
_BOM: Final = b"\xef\xbb\xbf"
_HEADER: Final = b"open_time,open,high,low,close,volume,"
_PLAIN: Final = b"0123456789.,-+eE\n"
_WHOLE: Final = rb"(-?\d{1,18})"
_NUMBER: Final = rb"([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)"
_STATED: Final = re.compile(_WHOLE + rb"(?:,|$)")
_FAR: Final = 10**18
_MOST_TRADES: Final = 2**53
_MOST_MILLISECONDS: Final = 10**14
_LATEST: Final = milliseconds(LATEST)


class Refused(NamedTuple):
    """A line that is no candle, by its number in the file."""

    line: int
    row: QuarantinedRow


@dataclass(frozen=True, eq=False)
class Block:
    """Some lines of a file, from the number `first` on: the columns of those that could be read,
    which lines of the block these are (counted from 0), and the others.
    """

    first: int
    text: bytes
    columns: Columns
    places: NDArray[np.int64]
    malformed: tuple[Refused, ...] = ()

    def refused(self, row: int, reason: str) -> Refused:
        """A row of `columns` that breaks a rule."""
        place, time = int(self.places[row]), int(self.columns.open_time[row])
        return _refused(self.first + place, self._lines[place], reason, time)

    @cached_property
    def _lines(self) -> list[bytes]:
        return self.text.split(b"\n")


def blocks(
    text: IO[bytes], layouts: Sequence[Layout], *, block_bytes: int = BLOCK_BYTES
) -> Iterator[Block]:
    """All lines of a file, but for a header."""
    first = 1
    for found, is_cut in whole_lines(text, block_bytes, cut_to=_RAW_LIMIT):
        first, lines = _without_header(found) if first == 1 else (first, found)
        if lines:
            yield _cut(first, lines, layouts) if is_cut else _block(first, lines, layouts)
        first += lines.count(b"\n")


def _without_header(lines: bytes) -> tuple[int, bytes]:
    """The lines of candles at the begin of a file, and the number of the first of them."""
    plain = lines.removeprefix(_BOM)
    if plain.startswith(_HEADER):
        return 2, plain.partition(b"\n")[2]
    return 1, plain


def _block(first: int, text: bytes, layouts: Sequence[Layout]) -> Block:
    # An empty field at the end of a line is none.
    plain = text.replace(b"\r\n", b"\n").replace(b",\n", b"\n")
    columns = _at_once(plain, layouts)
    if columns is None:
        return _line_by_line(first, text, plain, layouts)
    return Block(first, text, columns, np.arange(len(columns.open_time)))


def _at_once(plain: bytes, layouts: Sequence[Layout]) -> Columns | None:
    """The columns, or None where a line is not as the first one is, or not as it should be."""
    width = plain[: plain.index(b"\n")].count(b",") + 1
    layout = next((layout for layout in layouts if layout.width == width), None)
    if layout is None or plain.translate(None, _PLAIN):
        return None
    try:
        table = csv.read_csv(pa.BufferReader(plain), *_options(layout))
    except pa.ArrowInvalid:
        return None
    fields = [column.to_numpy() for column in table.columns]
    if table.num_rows != plain.count(b"\n") or not np.all(_sound(fields)):
        return None
    return _columns(layout, fields)


@cache
def _options(layout: Layout) -> tuple[csv.ReadOptions, csv.ParseOptions, csv.ConvertOptions]:
    time, *numbers = (str(place) for place in _wanted(layout))
    return (
        csv.ReadOptions(
            use_threads=False,
            block_size=2 * BLOCK_BYTES,
            column_names=[str(place) for place in range(layout.width)],
        ),
        csv.ParseOptions(quote_char=False, newlines_in_values=False, ignore_empty_lines=False),
        csv.ConvertOptions(
            column_types={time: pa.int64(), **dict.fromkeys(numbers, pa.float64())},
            include_columns=[time, *numbers],
            null_values=[],
        ),
    )


def _line_by_line(first: int, text: bytes, plain: bytes, layouts: Sequence[Layout]) -> Block:
    patterns = [_pattern(layout) for layout in layouts]
    places: list[int] = []
    found: list[tuple[bytes, ...]] = []
    malformed: list[int] = []
    for place, line in enumerate(plain.split(b"\n")[:-1]):
        match = next(filter(None, (pattern.fullmatch(line) for pattern in patterns)), None)
        if match is None:
            malformed.append(place)
        else:
            places.append(place)
            found.append(match.groups())
    fields, where = _fields(found, layouts[0]), np.array(places, dtype=np.int64)
    sound = _sound(fields)
    malformed = sorted([*malformed, *where[~sound].tolist()])
    lines = text.split(b"\n") if malformed else []
    return Block(
        first,
        text,
        _columns(layouts[0], [field[sound] for field in fields]),
        where[sound],
        tuple(_malformed(first + place, lines[place], layouts) for place in malformed),
    )


def _cut(first: int, line: bytes, layouts: Sequence[Layout]) -> Block:
    nothing = _columns(layouts[0], _fields([], layouts[0]))
    malformed = _malformed(first, line, layouts)
    return Block(first, line, nothing, np.empty(0, dtype=np.int64), (malformed,))


def _fields(found: Sequence[tuple[bytes, ...]], layout: Layout) -> list[NDArray[Any]]:
    """The wanted fields of some lines as columns."""
    times, *numbers = list(zip(*found, strict=True)) or [()] * len(_wanted(layout))
    return [
        np.fromiter(map(int, times), np.int64, len(times)),
        *(np.fromiter(map(float, column), np.float64, len(column)) for column in numbers),
    ]


@cache
def _pattern(layout: Layout) -> re.Pattern[bytes]:
    """What a line must be, with a group for each wanted field; others may hold anything."""
    time, *numbers = _wanted(layout)
    fields = {time: _WHOLE, **dict.fromkeys(numbers, _NUMBER)}
    return re.compile(b",".join(fields.get(place, b"[^,]*") for place in range(layout.width)))


def _wanted(layout: Layout) -> list[int]:
    """The places of the fields that are read, from left to right: the time first, trades last."""
    places = (layout.open_time, *layout.prices, layout.quote_volume, layout.trades)
    return [place for place in places if place is not None]


def _sound(fields: Sequence[NDArray[Any]]) -> Mask:
    """Rows whose numbers are of the right kind."""
    time, trades = fields[0], fields[-1]
    fine = (time > -_FAR) & (time < _FAR) & (np.abs(trades) < _MOST_TRADES)
    return fine & (trades == np.floor(trades))


def _columns(layout: Layout, fields: Sequence[NDArray[Any]]) -> Columns:
    time, *prices, trades = fields
    return Columns(
        _open_time(layout, time),
        *prices[:5],
        quote_volume=None if layout.quote_volume is None else prices[5],
        trades=trades.astype(np.int64),
    )


def _open_time(layout: Layout, stated: NDArray[np.int64]) -> NDArray[np.int64]:
    """Milliseconds since the epoch. Where a venue counts these, newer files count microseconds; one
    that is no whole millisecond becomes an odd one, which is on no grid."""
    times = layout.times(stated)
    if layout.unit != 1:
        return times
    return np.where(times > _MOST_MILLISECONDS, times // 1000 | (times % 1000 != 0), times)


def _malformed(number: int, line: bytes, layouts: Sequence[Layout]) -> Refused:
    stated = _STATED.match(line)
    times = np.array([int(stated[1]) if stated else -1], dtype=np.int64)
    return _refused(number, line, "malformed", int(_open_time(layouts[0], times)[0]))


def _refused(number: int, line: bytes, reason: str, open_time: int) -> Refused:
    raw = repr(line[:_RAW_LIMIT].rstrip(b"\r\n").decode(errors="replace"))[1:-1]
    known = from_milliseconds(open_time) if 0 <= open_time < _LATEST else None
    return Refused(
        number, QuarantinedRow(raw=f"line {number}: {raw}", reason=reason, open_time=known)
    )
