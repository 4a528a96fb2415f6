"""Candles as the JSON text Binance answers, built column by column.

A page of a thousand rows has some 160,000 characters. Formatting them value by value costs
several milliseconds of Python, so the digits are written as columns into one matrix of bytes, and
the unused leading zeros are left out at the end.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from candlelog_embedded.sandbox.columns import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    QUOTE_VOLUME,
    TAKER_QUOTE_VOLUME,
    TAKER_VOLUME,
    TRADES,
    VOLUME,
    Columns,
)
from candlelog_embedded.sandbox.intervals import Interval

_PRINTED_DECIMALS: Final = 8
_LEFT_OUT: Final = b"\0"
_FOUR_DIGITS: Final = np.frombuffer(
    b"".join(b"%04d" % number for number in range(10_000)), dtype=np.uint32
)


@dataclass(frozen=True)
class _Number:
    """One column of whole units, the literal text around it, and the digits its widest needs."""

    before: bytes
    units: NDArray[np.int64]
    decimals: int
    after: bytes

    @cached_property
    def digits(self) -> int:
        return max(len(str(int(self.units.max()))), self.decimals + 1)

    @cached_property
    def blank(self) -> bytes:
        """The text of a row with room for the digits."""
        room = b"0" * self.digits
        point = b"." if self.decimals else b""
        whole = self.digits - self.decimals
        return self.before + room[:whole] + point + room[whole:] + self.after


def kline_rows(candles: Columns, interval: Interval) -> bytes:
    """The page as a JSON list of 12-field rows: times and trades as numbers, the rest as strings
    of eight decimals (more where the source has more).
    """
    if not len(candles):
        return b"[]"
    numbers = _numbers(candles, interval)
    blank = b"".join(number.blank for number in numbers)
    text = np.empty((len(candles), len(blank)), np.uint8)
    text[:] = np.frombuffer(blank, np.uint8)
    at = 0
    for number in numbers:
        _write(number, text, at + len(number.before))
        at += len(number.blank)
    return b"[" + text.tobytes().translate(None, _LEFT_OUT)[:-1] + b"]"


def _numbers(candles: Columns, interval: Interval) -> list[_Number]:
    def decimal(field: int, after: bytes = b'",') -> _Number:
        decimals = candles.decimals[field]
        zeros = b"0" * (_PRINTED_DECIMALS - decimals)
        if not decimals:
            zeros = b"." + zeros
        return _Number(b'"', candles.values[field], decimals, zeros + after)

    return [
        _Number(b"[", candles.open_time, 0, b","),
        *(decimal(field) for field in (OPEN, HIGH, LOW, CLOSE, VOLUME)),
        _Number(b"", interval.ends(candles.open_time) - 1, 0, b","),
        decimal(QUOTE_VOLUME),
        _Number(b"", candles.values[TRADES], 0, b","),
        decimal(TAKER_VOLUME),
        decimal(TAKER_QUOTE_VOLUME, b'","0"],'),
    ]


def _write(number: _Number, text: NDArray[np.uint8], at: int) -> None:
    """Fill in the digits of a column from `at` on, and mark its leading zeros as left out."""
    width, whole = number.digits, number.digits - number.decimals
    digits = _digits(number.units, width)
    text[:, at : at + whole] = digits[:, :whole]
    text[:, at + whole + 1 : at + 1 + width] = digits[:, whole:]
    for place in range(whole - 1):
        needed = number.units >= 10 ** (width - 1 - place)
        if needed.all():
            return
        text[:, at + place] *= needed


def _digits(units: NDArray[np.int64], width: int) -> NDArray[np.uint8]:
    """Decimal digits as ASCII: shape (n, width). Four at a time, from a table."""
    groups = -(-width // 4)
    text = np.empty((len(units), groups), np.uint32)
    rest = units
    for group in range(groups - 1, 0, -1):
        above = rest // 10_000
        text[:, group] = _FOUR_DIGITS[rest - above * 10_000]
        rest = above
    text[:, 0] = _FOUR_DIGITS[rest]
    return text.view(np.uint8).reshape(len(units), groups * 4)[:, groups * 4 - width :]
