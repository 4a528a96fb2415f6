"""Opaque cursors: keyset positions of lists, and log positions of live feeds."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson

from candlelog.events.topics import JOBS_COMMANDS, PROGRESS
from status_api.domain.problems import Problem, invalid
from status_api.domain.text import presentable

Positions = Mapping[str, Mapping[int, int]]
"""Next offset by partition, by the topic's name without prefix."""

_TOPICS: Final = (JOBS_COMMANDS.name, PROGRESS.name)
_MOST_PARTITIONS: Final = 10_000
_MAX_LENGTH: Final = 2_000
_BIGGEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class JobKey:
    """Where a page of jobs ended."""

    submitted_at: datetime
    job_id: UUID

    def encode(self) -> str:
        """As a cursor."""
        return _encode(["j", self.submitted_at.isoformat(), str(self.job_id)])

    @classmethod
    def decode(cls, text: str) -> "JobKey":
        """From a cursor; raises a `malformed_cursor` problem."""
        try:
            time, job_id = _decode(text, "j", 2)
            return cls(_time(time), UUID(job_id))
        except (ValueError, TypeError, AttributeError, OverflowError) as error:
            raise _malformed() from error


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """Where a page of series ended."""

    exchange: str
    symbol: str
    timeframe: str

    def encode(self) -> str:
        """As a cursor."""
        return _encode(["s", self.exchange, self.symbol, self.timeframe])

    @classmethod
    def decode(cls, text: str) -> "SeriesKey":
        """From a cursor; raises a `malformed_cursor` problem."""
        try:
            exchange, symbol, timeframe = map(_name, _decode(text, "s", 3))
            return cls(exchange, symbol, timeframe)
        except ValueError as error:
            raise _malformed() from error


@dataclass(frozen=True, slots=True)
class GapKey:
    """Where a page of gaps ended."""

    exchange: str
    symbol: str
    timeframe: str
    start: datetime

    def encode(self) -> str:
        """As a cursor."""
        names = (self.exchange, self.symbol, self.timeframe)
        return _encode(["g", *names, self.start.isoformat()])

    @classmethod
    def decode(cls, text: str) -> "GapKey":
        """From a cursor; raises a `malformed_cursor` problem."""
        try:
            *names, time = _decode(text, "g", 4)
            exchange, symbol, timeframe = map(_name, names)
            return cls(exchange, symbol, timeframe, _time(time))
        except (ValueError, TypeError, OverflowError) as error:
            raise _malformed() from error


@dataclass(frozen=True, slots=True)
class FileKey:
    """Where a page of files ended."""

    archive: str
    path: str

    def encode(self) -> str:
        """As a cursor."""
        return _encode(["f", self.archive, self.path])

    @classmethod
    def decode(cls, text: str) -> "FileKey":
        """From a cursor; raises a `malformed_cursor` problem."""
        try:
            archive, path = map(_name, _decode(text, "f", 2))
            return cls(archive, path)
        except ValueError as error:
            raise _malformed() from error


def encode_numbers(*numbers: int) -> str:
    """Where a page ended whose rows are ordered by numbers: tasks, candles, runs, quarantine."""
    return _encode(["n", *numbers])


def decode_numbers(text: str, count: int) -> tuple[int, ...]:
    """From a cursor; raises a `malformed_cursor` problem."""
    try:
        return tuple(_natural(number) for number in _decode(text, "n", count))
    except ValueError as error:
        raise _malformed() from error


def encode_positions(positions: Positions) -> str:
    """The state after everything below these positions."""
    plain = {topic: {str(n): at for n, at in sorted(of.items())} for topic, of in positions.items()}
    return _encode(["p", plain])


def decode_positions(text: str) -> dict[str, dict[int, int]]:
    """From a cursor; raises a `malformed_cursor` problem."""
    try:
        (topics,) = _decode(text, "p", 1)
        return {
            topic: {_partition(number): _natural(at) for number, at in topics[topic].items()}
            for topic in _TOPICS
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _malformed() from error


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a cursor's time has an offset")
    return time.astimezone(UTC)


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("no name")
    return presentable(value)


def _partition(text: str) -> int:
    number = int(text)
    if not 0 <= number < _MOST_PARTITIONS:
        raise ValueError("no partition")
    return number


def _natural(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _BIGGEST:
        raise ValueError("no number of ours")
    return value


def _encode(parts: list[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def _decode(text: str, kind: str, count: int) -> list[Any]:
    if len(text) > _MAX_LENGTH:
        raise ValueError("too long")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        parts = orjson.loads(raw)
    except (binascii.Error, orjson.JSONDecodeError) as error:
        raise ValueError("no cursor") from error
    if not isinstance(parts, list) or len(parts) != count + 1 or parts[0] != kind:
        raise ValueError("a cursor of another list")
    return parts[1:]


def _malformed() -> Problem:
    return invalid("cursor", "malformed_cursor", "the cursor is none that this list gave out")
