"""The command line of the sandbox."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from candlelog_embedded.sandbox.control import milliseconds, rules_from
from candlelog_embedded.sandbox.counter import CounterRules
from candlelog_embedded.sandbox.faults import FaultRule
from candlelog_embedded.sandbox.limiter import Rules
from candlelog_embedded.sandbox.tenure import Tenure
from candlelog_embedded.sandbox.venue import OF_FUTURES, Venue

Hole = tuple[str, tuple[int, int]]
Listed = tuple[str, Tenure]
_LAST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class Flags:
    """What the sandbox was started with."""

    host: str
    port: int
    market: tuple[Path, ...]
    generated: int
    rules: Rules
    latency_seconds: float
    late_seconds: float
    clock_offset_seconds: float
    faults: tuple[FaultRule, ...]
    holes: tuple[Hole, ...]
    listed: tuple[Listed, ...]
    seed: int

    def turn(self, venue: Venue) -> None:
        """Put every switch of the venue where the command line has it."""
        venue.limiter.rules = self.rules
        venue.futures.rules = Rules(OF_FUTURES)
        venue.kraken.counter_rules = CounterRules()
        venue.latency_seconds = self.latency_seconds
        venue.markets.late = int(self.late_seconds * 1000)
        venue.clock.offset_seconds = self.clock_offset_seconds
        venue.faults.random.seed(self.seed)
        venue.faults.replace(self.faults)
        venue.markets.forget()
        for symbol in {symbol for symbol, _ in self.holes}:
            venue.markets.set_holes(symbol, [hole for name, hole in self.holes if name == symbol])
        for symbol, tenure in self.listed:
            venue.markets.set_tenure(symbol, tenure)


def parse(arguments: Sequence[str]) -> Flags:
    """The flags; wrong ones end the program with a message, as argparse does."""
    given = _parser().parse_args(arguments)
    capacity = None if given.capacity == "none" else int(given.capacity)
    return Flags(
        host=given.host,
        port=given.port,
        market=tuple(given.market),
        generated=given.generated,
        rules=Rules(capacity, given.ban_after, given.ban_seconds),
        latency_seconds=given.latency_ms / 1000,
        late_seconds=given.late_seconds,
        clock_offset_seconds=given.clock_offset,
        faults=tuple(given.fault),
        holes=tuple(given.hole),
        listed=tuple(given.listed),
        seed=given.seed,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m candlelog_embedded.sandbox",
        description="A Binance- and Kraken-shaped exchange on this machine.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=_port, default=0, help="0, the default, takes a free one")
    add("--market", type=_folder, action="append", default=[], metavar="DIR", help="archive folder")
    add("--generated", type=int, default=10, metavar="N", help="GEN symbols beside SYNA and SYNB")
    add("--capacity", type=_capacity, default="6000", help="weight a minute, or none")
    add("--ban-after", type=int, default=10, metavar="N", help="429s in one minute before a 418")
    add("--ban-seconds", type=float, default=120.0)
    add("--latency-ms", type=float, default=0.0)
    add("--late-seconds", type=float, default=0.0, help="candles change so long after their close")
    add("--clock-offset", type=float, default=0.0, metavar="SECONDS")
    add(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="RULE",
        help='name of a fault, or JSON such as {"kind": "500", "probability": 0.1}',
    )
    add("--hole", type=_hole, action="append", default=[], metavar="SYMBOL=START/END")
    add(
        "--listed",
        type=_listed,
        action="append",
        default=[],
        metavar="SYMBOL=[SINCE]/[UNTIL]",
        help="when a symbol is listed; without a bound as long as it has candles",
    )
    add("--seed", type=int, default=0, help="of what the faults draw")
    return parser


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) <= _LAST_PORT):
        raise argparse.ArgumentTypeError(f"{text!r} is no port")
    return int(text)


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is no folder")
    return Path(text)


def _capacity(text: str) -> str:
    if text != "none" and not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a positive number nor none")
    return text


def _fault(text: str) -> FaultRule:
    try:
        return rules_from(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _hole(text: str) -> Hole:
    symbol, _, bounds = text.partition("=")
    try:
        start, end = (datetime.fromisoformat(bound) for bound in bounds.split("/"))
        return symbol, (milliseconds(start), milliseconds(end))
    except (ValueError, TypeError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not SYMBOL=START/END in UTC") from error


def _listed(text: str) -> Listed:
    symbol, _, bounds = text.partition("=")
    try:
        since, until = (
            milliseconds(datetime.fromisoformat(bound)) if bound else None
            for bound in bounds.split("/")
        )
        return symbol, Tenure(since, until)
    except (ValueError, TypeError) as error:
        message = f"{text!r} is not SYMBOL=[SINCE]/[UNTIL] in UTC"
        raise argparse.ArgumentTypeError(message) from error
