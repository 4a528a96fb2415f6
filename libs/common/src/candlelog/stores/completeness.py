"""How many slots of some series are in which state, counted where the candles are."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from candlelog.market.profile import ExchangeProfile
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.slots import UNEXPLAINED, Counted, SlotState, States
from candlelog.market.timeframe import Timeframe
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.slots import EDGES_NOW, edge_parameters

_DAY: Final = timedelta(days=1)

_STRETCHES: Final = f"""
SELECT * FROM (
    SELECT symbol, at, state,
        max(known) OVER (PARTITION BY symbol ORDER BY at) AS begun,
        leadInFrame(at, 1, toInt64({{slots:Int64}})) OVER (
            PARTITION BY symbol ORDER BY at ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ) AS after
    FROM ({EDGES_NOW})
)
WHERE begun OR NOT {{from_first:Bool}}
"""  # noqa: S608 -- put together from constants

_BY_SERIES: Final = f"""
SELECT symbol, state, min(at), max(after), sum(after - at) FROM ({_STRETCHES})
GROUP BY symbol, state ORDER BY symbol, state
"""  # noqa: S608 -- the same

_BY_DAY: Final = f"""
SELECT day, state, sum(least(after, (day + 1) * per_day - {{phase:Int64}})
    - greatest(at, day * per_day - {{phase:Int64}}))
FROM (
    SELECT *, {{per_day:Int64}} AS per_day, arrayJoin(range(
        toUInt64(intDiv(at + {{phase:Int64}}, per_day)),
        toUInt64(intDiv(after - 1 + {{phase:Int64}}, per_day) + 1)
    )) AS day
    FROM ({_STRETCHES})
)
GROUP BY day, state ORDER BY day, state
"""  # noqa: S608 -- the same


async def counted_by_series(
    clickhouse: ClickHouse,
    venue: ExchangeProfile,
    *,
    symbols: Sequence[str],
    timeframe: str,
    window: TimeRange,
    now: datetime,
    from_first: bool,
) -> dict[Series, Counted]:
    """What there is of each series; `from_first`: from the first slot on that was ever answered.

    One query. The caller cuts the window at `now`. Series without a slot are left out. Raises
    `Unavailable`.
    """
    frame = Timeframe.parse(timeframe)
    if not frame.count(window.start, window.end):
        return {}
    parameters = edge_parameters(venue, symbols, frame, window, now=now)
    rows = await clickhouse.query(_BY_SERIES, **parameters, from_first=from_first)
    of_series: dict[str, list[Any]] = defaultdict(list)
    for symbol, *row in rows:
        of_series[symbol].append(row)
    return {
        Series(venue.name, symbol, timeframe): _counted(frame, parameters["start"], states)
        for symbol, states in of_series.items()
    }


async def counted_by_day(
    clickhouse: ClickHouse,
    venue: ExchangeProfile,
    *,
    symbols: Sequence[str],
    timeframe: str,
    window: TimeRange,
    now: datetime,
    from_first: bool,
) -> dict[date, States]:
    """What there is of all these series together, by the day (UTC) in which slots open.

    As `counted_by_series`.
    """
    frame = Timeframe.parse(timeframe)
    if not frame.count(window.start, window.end):
        return {}
    parameters = edge_parameters(venue, symbols, frame, window, now=now)
    start: datetime = parameters["start"]
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    fine = frame.duration is not None and frame.duration <= _DAY
    per_day = _DAY // frame.duration if fine and frame.duration else 1
    rows = await clickhouse.query(
        _BY_DAY,
        **parameters,
        from_first=from_first,
        per_day=per_day,
        phase=frame.count(midnight, start) if fine else 0,
    )
    found: dict[date, dict[SlotState, int]] = defaultdict(dict)
    for place, state, slots in rows:
        opened = midnight + place * _DAY if fine else frame.advance(start, place)
        found[opened.date()][SlotState(state)] = slots
    return dict(found)


def _counted(
    frame: Timeframe, start: datetime, rows: Sequence[tuple[str, int, int, int]]
) -> Counted:
    """Of rows with state, first place, place behind the last, and how many there are."""
    known = [after for state, _, after, _ in rows if state not in UNEXPLAINED]
    return Counted(
        start=frame.advance(start, min(first for _, first, _, _ in rows)),
        end=frame.advance(start, max(after for _, _, after, _ in rows)),
        states={SlotState(state): slots for state, _, _, slots in rows},
        known_until=frame.advance(start, max(known)) if known else None,
    )
