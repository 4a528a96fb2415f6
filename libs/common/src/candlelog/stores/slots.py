"""The state of every slot of some series, computed where the candles are."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from candlelog.events.fields import LATEST
from candlelog.market.profile import ExchangeProfile
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.slots import SlotRun, SlotState
from candlelog.market.timeframe import Timeframe, milliseconds
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.coverage import SETTLED_UNTIL

_OF_SERIES: Final = """exchange = {exchange:String}
            AND symbol IN {symbols:Array(String)} AND timeframe = {timeframe:String}"""

_BY_THEN: Final = "observed_at <= {as_of:DateTime64(3, 'UTC')}"
_VERSIONS: Final = f"""
            SELECT symbol, open_time, observed_at FROM {{table}}
            WHERE {_OF_SERIES} AND {_BY_THEN}
                AND open_time >= {{start:DateTime64(3, 'UTC')}}
                AND open_time < {{end:DateTime64(3, 'UTC')}}"""  # noqa: S608 -- from constants

_EDGES: Final = f"""
WITH
    (moment -> if({{step:Int64}} = 0,
        toYear(moment) * 12 + toMonth(moment) - 1,
        intDiv(toUnixTimestamp64Milli(moment) - {{anchor:Int64}}, {{step:Int64}})
    ) - {{first:Int64}}) AS slot_of,
    held AS (
        SELECT symbol,
            groupArray(toUInt32(slot_of(open_time))) AS stored,
            groupArrayIf(toUInt32(slot_of(open_time)), slot_of(observed_at
                - toIntervalSecond({{settle_seconds:UInt32}})) <= slot_of(open_time)) AS early
        FROM (<versions>)
        GROUP BY symbol
    ),
    stretches AS (
        SELECT symbol, part.1 AS kind, arrayCompact(arraySort(part.2)) AS taken,
            arrayDifference(taken) AS steps,
            arrayFilter((slot, step) -> step != 1, taken, steps) AS firsts,
            arrayFilter((slot, step) -> step != 1, taken,
                arrayPushBack(arrayPopFront(steps), 0)) AS lasts
        FROM (SELECT symbol, arrayJoin([('stored', stored), ('early', early)]) AS part FROM held)
        WHERE notEmpty(part.2)
    ),
    answered AS (
        SELECT DISTINCT symbol, chunk_id, observed_at,
            greatest(slot_of(start), 0) AS first,
            least(slot_of({SETTLED_UNTIL}), {{slots:Int64}}) AS after,
            outcome = 'unlisted' AS unlisted
        FROM coverage
        WHERE {_OF_SERIES} AND {_BY_THEN}
            AND start < {{end:DateTime64(3, 'UTC')}} AND end > {{start:DateTime64(3, 'UTC')}}
            AND first < after
    ),
    refused AS (
        SELECT DISTINCT symbol, chunk_id, observed_at, first, slot_of(open_time) AS slot
        FROM quarantine INNER JOIN answered USING (symbol, chunk_id, observed_at)
        WHERE {_OF_SERIES}
            AND open_time IS NOT NULL
            AND slot >= first AND slot < after
    ),
    spans AS (
        SELECT arrayJoin({{symbols:Array(String)}}) AS symbol, 'window' AS kind,
            toInt64(0) AS first, {{slots:Int64}} AS after
        UNION ALL
        SELECT arrayJoin({{symbols:Array(String)}}), 'beyond', toInt64(0), {{beyond:Int64}}
        UNION ALL
        SELECT symbol, kind, toInt64(stretch.1), toInt64(stretch.2 + 1)
        FROM stretches ARRAY JOIN arrayZip(firsts, lasts) AS stretch
        UNION ALL
        SELECT symbol, if(unlisted, 'unlisted', 'answers'), first, after FROM answered
        UNION ALL
        SELECT symbol, 'refusals', slot, slot + 1 FROM refused
    )
SELECT symbol, at, answers + unlisted > 0 AS answered, stored + answers + unlisted > 0 AS known,
    multiIf(
        stored > 0 AND (early = 0 OR answers > refusals), 'present',
        stored > 0, 'provisional',
        unlisted > 0, 'unlisted',
        answers > refusals, {{absent:String}},
        beyond > 0, 'unfetchable',
        'unknown'
    ) AS state
FROM (
    SELECT symbol, at,
        sum(sumIf(change, kind = 'stored')) OVER so_far AS stored,
        sum(sumIf(change, kind = 'early')) OVER so_far AS early,
        sum(sumIf(change, kind = 'answers')) OVER so_far AS answers,
        sum(sumIf(change, kind = 'refusals')) OVER so_far AS refusals,
        sum(sumIf(change, kind = 'unlisted')) OVER so_far AS unlisted,
        sum(sumIf(change, kind = 'beyond')) OVER so_far AS beyond
    FROM spans ARRAY JOIN [first, after] AS at, [1, -1] AS change
    GROUP BY symbol, at
    WINDOW so_far AS (PARTITION BY symbol ORDER BY at)
)
WHERE at < {{slots:Int64}}
"""  # noqa: S608 -- put together from constants
"""The state of slots from each *edge* on, as places in the window. Where anything begins or ends is
an edge, and between two edges all slots are alike; so candles are first put together to stretches,
and what is counted afterwards is few. A row that an answer refused takes that answer away from its
slot. `beyond` is the place of the oldest slot that the venue still answers for."""

EDGES_NOW: Final = _EDGES.replace("<versions>", _VERSIONS.replace("{table}", "candles"))
EDGES_THEN: Final = _EDGES.replace(
    "<versions>",
    " UNION ALL ".join(
        _VERSIONS.replace("{table}", name) for name in ("candles", "candle_revisions")
    ),
)
"""As of a moment a slot may have held what is a revision now."""

SLOT_RUNS: Final = """
SELECT symbol, min(at), any(state), min(answered)
FROM (
    SELECT *, sum(changed) OVER (PARTITION BY symbol ORDER BY at) AS run
    FROM (
        SELECT *, state != lagInFrame(state) OVER (PARTITION BY symbol ORDER BY at) AS changed
        FROM (<edges>)
    )
)
GROUP BY symbol, run
ORDER BY symbol, min(at)
"""

_ONE_MS: Final = timedelta(milliseconds=1)


async def slot_runs(
    clickhouse: ClickHouse,
    venue: ExchangeProfile,
    *,
    symbols: Sequence[str],
    timeframe: str,
    window: TimeRange,
    now: datetime,
    as_of: datetime | None = None,
) -> dict[Series, list[SlotRun]]:
    """The state of every slot of the window, as runs in order that leave nothing out.

    One query for all symbols. The window is held to the grid; a window without a slot has no
    runs. The caller cuts it at now: to this function a slot to come is one never asked for.
    `as_of`: what was known then of slots, instead of `now`. Raises `Unavailable`.
    """
    frame = Timeframe.parse(timeframe)
    start, slots = frame.ceil(window.start), frame.count(window.start, window.end)
    if not slots:
        return {Series(venue.name, symbol, timeframe): [] for symbol in symbols}
    edges = EDGES_NOW if as_of is None else EDGES_THEN
    rows = await clickhouse.query(
        SLOT_RUNS.replace("<edges>", edges),
        **edge_parameters(venue, symbols, frame, window, now=now, as_of=as_of),
    )

    def runs() -> dict[Series, list[SlotRun]]:
        return {
            Series(venue.name, symbol, timeframe): _runs(list(of_symbol), frame, start, slots)
            for symbol, of_symbol in groupby(rows, key=itemgetter(0))
        }

    return await asyncio.to_thread(runs)


def edge_parameters(
    venue: ExchangeProfile,
    symbols: Sequence[str],
    frame: Timeframe,
    window: TimeRange,
    *,
    now: datetime,
    as_of: datetime | None = None,
) -> dict[str, Any]:
    """Values of the statements above, for a window that holds a slot."""
    start, slots = frame.ceil(window.start), frame.count(window.start, window.end)
    oldest = venue.oldest_within_reach(frame, now if as_of is None else as_of) or start
    return {
        "exchange": venue.name,
        "symbols": list(symbols),
        "timeframe": frame.name,
        "start": start,
        "end": frame.advance(start, slots),
        "first": frame.number(start),
        "slots": slots,
        "beyond": min(max(frame.number(oldest) - frame.number(start), 0), slots),
        "step": 0 if frame.duration is None else frame.duration // _ONE_MS,
        "anchor": milliseconds(frame.anchor),
        "settle_seconds": venue.settle_delay_seconds,
        "as_of": LATEST if as_of is None else as_of,
        "absent": SlotState.NO_TRADE if venue.sparse else SlotState.OUTAGE,
    }


def _runs(
    rows: Sequence[tuple[str, int, str, int]], frame: Timeframe, start: datetime, slots: int
) -> list[SlotRun]:
    """Rows of symbol, place in the window, state and whether answered; each runs to the next."""
    ends = [*(place for _, place, *_ in rows[1:]), slots]
    return [
        SlotRun(
            start=frame.advance(start, place),
            end=frame.advance(start, end),
            slots=end - place,
            state=SlotState(state),
            answered=bool(answered),
        )
        for (_, place, state, answered), end in zip(rows, ends, strict=True)
    ]
