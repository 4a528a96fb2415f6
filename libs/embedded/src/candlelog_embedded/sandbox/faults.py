"""Faults: what a venue does wrong on demand, one entry of the table each.

A fault is a function from the right answer to the wrong one; a rule says how often and to which
requests it happens. A new fault is one function and one line in `FAULTS`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Annotated, Any, Final

import orjson
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from candlelog_embedded.sandbox.answers import Answer, Delivery
from candlelog_embedded.sandbox.binance import asked_times
from candlelog_embedded.sandbox.dialects import FUTURES, SPOT, Query
from candlelog_embedded.sandbox.limiter import Limiter
from candlelog_embedded.sandbox.refusals import banned, limited

Row = list[Any]

_HTML: Final = b"<!DOCTYPE html><html><body>We are under maintenance.</body></html>"
_LOW = 3
_OPEN = 1
_FEWEST = 3
"""Rows of a page that can be short, or in another order."""
_YEAR_MS = 366 * 86_400_000


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a fault may need besides the answer: `rule` says when, and how, it was to strike."""

    rule: "FaultRule"
    limiter: Limiter
    random: Random
    now: int


Apply = Callable[[Answer, Circumstances], Answer]


@dataclass(frozen=True, slots=True)
class Fault:
    """`pages_only`: it changes rows of a klines answer, and leaves every other request alone."""

    apply: Apply
    pages_only: bool = False


def _limited(_answer: Answer, around: Circumstances) -> Answer:
    seconds = around.rule.seconds
    return limited(around.limiter.retry_after(around.now) if seconds is None else seconds)


def _limited_bare(_answer: Answer, _around: Circumstances) -> Answer:
    return limited(None)


def _banned(_answer: Answer, around: Circumstances) -> Answer:
    seconds = around.rule.seconds
    seconds = around.limiter.rules.ban_seconds if seconds is None else seconds
    around.limiter.ban(seconds, around.now)
    return banned(around.limiter, around.now)


def _failed(_answer: Answer, _around: Circumstances, *, status: int) -> Answer:
    text = f"<html><body><h1>{status}</h1></body></html>".encode()
    return Answer(text, status, content_type="text/html")


def _reset(answer: Answer, _around: Circumstances) -> Answer:
    return replace(answer, delivery=Delivery.RESET)


def _cut(answer: Answer, _around: Circumstances) -> Answer:
    return replace(answer, delivery=Delivery.CUT)


def _stalled(answer: Answer, around: Circumstances) -> Answer:
    seconds = around.rule.seconds
    return replace(answer, wait_seconds=15.0 if seconds is None else seconds)


def _html(_answer: Answer, _around: Circumstances) -> Answer:
    return Answer(_HTML, content_type="text/html")


def _empty(answer: Answer, _around: Circumstances) -> Answer:
    return replace(answer, body=b"[]")


def _json(_answer: Answer, _around: Circumstances) -> Answer:
    return Answer(b'{"result": "of another kind"}')


def _refused(_answer: Answer, _around: Circumstances, *, status: int) -> Answer:
    text = b'{"code": 0, "msg": "Service unavailable from a restricted location."}'
    return Answer(text, status)


def _rearranged(
    answer: Answer, around: Circumstances, *, arrange: Callable[[list[Row], Random], list[Row]]
) -> Answer:
    """The page with other rows, or the same in another order."""
    rows = orjson.loads(answer.body)
    if not isinstance(rows, list) or len(rows) < _FEWEST:
        return answer
    return replace(answer, body=orjson.dumps(arrange(rows, around.random)))


def _short(rows: list[Row], _random: Random) -> list[Row]:
    return rows[: len(rows) // 2]


def _clamped(rows: list[Row], _random: Random) -> list[Row]:
    return [[row[0] - _YEAR_MS, *row[1:]] for row in rows]


def _unsorted(rows: list[Row], random: Random) -> list[Row]:
    at = random.randrange(len(rows) - 1)
    return [*rows[:at], rows[at + 1], rows[at], *rows[at + 2 :]]


def _doubled(rows: list[Row], random: Random) -> list[Row]:
    at = random.randrange(len(rows))
    return [*rows[: at + 1], *rows[at:]]


def _off_grid(row: Row) -> None:
    row[0] += 7_000


def _not_a_number(row: Row) -> None:
    row[_OPEN] = "NaN"


def _negative(row: Row) -> None:
    row[_LOW] = "-" + row[_LOW]


def _zero(row: Row) -> None:
    row[_OPEN] = "0.00000000"


def _low_above_open(row: Row) -> None:
    row[_LOW] = f"{float(row[_OPEN]) * 2:.8f}"


_SPOILERS: Final[dict[str, Callable[[Row], None]]] = {
    "row-nan": _not_a_number,
    "row-negative": _negative,
    "row-zero": _zero,
    "row-low-above-open": _low_above_open,
    "row-off-grid": _off_grid,
}
_ARRANGEMENTS: Final[dict[str, Callable[[list[Row], Random], list[Row]]]] = {
    "short": _short,
    "clamped": _clamped,
    "unsorted": _unsorted,
    "doubled": _doubled,
}


def _spoilt(
    answer: Answer, around: Circumstances, *, spoilers: Sequence[Callable[[Row], None]]
) -> Answer:
    """Every row of the rule's times, or one of the page drawn at random, is made bad."""
    rows = orjson.loads(answer.body)
    if not isinstance(rows, list) or not rows:
        return answer
    if around.rule.timed:
        chosen = [row for row in rows if around.rule.holds(row[0], row[0])]
    else:
        chosen = [around.random.choice(rows)]
    if not chosen:
        return answer
    for row in chosen:
        around.random.choice(spoilers)(row)
    return replace(answer, body=orjson.dumps(rows))


FAULTS: Final[dict[str, Fault]] = {
    "429": Fault(_limited),
    "429-bare": Fault(_limited_bare),
    "418": Fault(_banned),
    **{str(status): Fault(partial(_failed, status=status)) for status in (500, 502, 503, 504)},
    **{str(status): Fault(partial(_refused, status=status)) for status in (403, 451)},
    "reset": Fault(_reset),
    "stall": Fault(_stalled),
    "cut": Fault(_cut),
    "html": Fault(_html),
    "json": Fault(_json),
    "empty": Fault(_empty, pages_only=True),
    **{
        name: Fault(partial(_rearranged, arrange=arrange), pages_only=True)
        for name, arrange in _ARRANGEMENTS.items()
    },
    "bad-row": Fault(partial(_spoilt, spoilers=tuple(_SPOILERS.values())), pages_only=True),
    **{
        name: Fault(partial(_spoilt, spoilers=(spoil,)), pages_only=True)
        for name, spoil in _SPOILERS.items()
    },
}


def _known(kind: str) -> str:
    if kind not in FAULTS:
        raise ValueError(f"unknown fault {kind!r}; known: {', '.join(FAULTS)}")
    return kind


class FaultRule(BaseModel):
    """When a fault strikes. `count` ends it after that many; `seconds` is the fault's own time.

    `start` and `end` hold it to klines requests that ask for times in `[start, end)`, and a fault
    that spoils rows to the rows of these times, which it then spoils all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Annotated[str, AfterValidator(_known)]
    probability: float = Field(default=1.0, gt=0.0, le=1.0)
    count: int | None = Field(default=None, ge=1)
    path: str | None = None
    symbol: str | None = None
    interval: str | None = None
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None
    seconds: float | None = Field(default=None, ge=0.0)

    @property
    def timed(self) -> bool:
        """Whether it speaks of some times alone."""
        return self.start is not None or self.end is not None

    def holds(self, first: int, last: int) -> bool:
        """Whether it speaks of any time from `first` to `last`, in milliseconds."""
        after = self.start is None or last >= self.start.timestamp() * 1000
        return after and (self.end is None or first < self.end.timestamp() * 1000)

    def concerns(self, path: str, query: Query) -> bool:
        """Whether this is a request the rule speaks of."""
        candles = any(dialect.asks_candles(path) for dialect in (SPOT, FUTURES))
        if (FAULTS[self.kind].pages_only or self.timed) and not candles:
            return False
        named = (
            (self.path, path),
            (self.symbol, query.get("symbol")),
            (self.interval, query.get("interval")),
        )
        if any(wanted not in (None, given) for wanted, given in named):
            return False
        return not self.timed or self.holds(*asked_times(query))


@dataclass(slots=True)
class InForce:
    """A rule, and how often it may strike yet: None for ever."""

    rule: FaultRule
    left: int | None


class FaultPlan:
    """The rules in force; the first one that is drawn decides the answer."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.struck: Counter[str] = Counter()
        self._in_force: Sequence[InForce] = ()

    @property
    def rules(self) -> list[FaultRule]:
        """Those in force."""
        return [each.rule for each in self._in_force]

    def replace(self, rules: Sequence[FaultRule]) -> None:
        """From now on exactly these rules, each with its full count."""
        self._in_force = [InForce(rule, rule.count) for rule in rules]

    def draw(self, path: str, query: Query) -> InForce | None:
        """The rule that is to strike this request, None when it is spared."""
        for each in self._in_force:
            if each.left == 0 or not each.rule.concerns(path, query):
                continue
            if each.rule.probability < 1.0 and self.random.random() >= each.rule.probability:
                continue
            # Taken now: while one answer is made, others are drawn for.
            if each.left is not None:
                each.left -= 1
            return each
        return None

    def strike(self, drawn: InForce, answer: Answer, around: Circumstances) -> Answer:
        """What the fault makes of the answer. Where that is the same, as of a page of too few rows,
        it has not struck: it is not counted, and the rule may do so another time."""
        wrong = FAULTS[drawn.rule.kind].apply(answer, around)
        if wrong != answer:
            self.struck[drawn.rule.kind] += 1
        elif drawn.left is not None:
            drawn.left += 1
        return wrong
