"""What the engine says of slots is what a look at each single slot says."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from operator import itemgetter
from typing import Any, Final, Literal
from uuid import UUID, uuid5

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.databases import clickhouse_database, clickhouse_database_url

from candlelog.market.profile import profile
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.slots import SlotRun
from candlelog.market.timeframe import Timeframe
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.completeness import counted_by_day, counted_by_series
from candlelog.stores.slots import slot_runs

pytestmark = pytest.mark.connected

DENSE = profile("binance")
SPARSE = DENSE.model_copy(update={"sparse": True})
SETTLE = timedelta(seconds=DENSE.settle_delay_seconds)
BEGIN = {"1m": datetime(2024, 2, 1, tzinfo=UTC), "1w": datetime(2024, 2, 5, tzinfo=UTC)}
SLOTS = 12
NAMES = ("exchange", "symbol", "timeframe")
ORIGIN = {"source": "rest", "job_id": str(UUID(int=1))}
TIME = pa.timestamp("ms", tz="UTC")

Got = Literal["row", "nothing", "refused", "off grid"]
REFUSED: Final = {"refused": timedelta(), "off grid": timedelta(seconds=7)}
"""How far behind its slot a row that is refused opens."""


@dataclass(frozen=True)
class Answer:
    """What a venue answered for the slots from `first` on, read `after` slots behind the last; one
    that says that they were `unlisted` has no rows."""

    first: int
    got: tuple[Got, ...]
    after: float = 1000
    unlisted: bool = False

    @property
    def last(self) -> int:
        return self.first + len(self.got) - 1


@dataclass(frozen=True)
class History:
    """One series: its answers, each of which may be written twice."""

    symbol: str
    timeframe: str
    answers: Sequence[Answer]

    @property
    def series(self) -> Series:
        return Series("binance", self.symbol, self.timeframe)

    @property
    def frame(self) -> Timeframe:
        return Timeframe.parse(self.timeframe)

    def at(self, slot: int) -> datetime:
        return self.frame.advance(BEGIN.get(self.timeframe, BEGIN["1m"]), slot)

    def window(self, first: int = 0, end: int = SLOTS) -> TimeRange:
        return TimeRange(self.at(first), self.at(end))

    def read_at(self, answer: Answer) -> datetime:
        """Part of a slot behind the settle delay counts in halves of that slot."""
        closed = self.at(answer.last + 1 + int(answer.after // 1)) + SETTLE
        return closed - timedelta(seconds=0 if answer.after % 1 == 0 else 1)

    def by(self, moment: datetime) -> "History":
        """What was known of it by then."""
        return replace(self, answers=[a for a in self.answers if self.read_at(a) <= moment])

    def state(self, slot: int, *, absent: str, oldest: int = -1000) -> tuple[str, bool]:
        """The state of one slot, from the words that define it; `oldest` is within reach."""
        reaching = [a for a in self.answers if a.first <= slot <= a.last]
        settled = [a for a in reaching if self.read_at(a) - SETTLE >= self.at(slot + 1)]
        explaining = [a for a in settled if a.got[slot - a.first] not in REFUSED]
        stored = any(a.got[slot - a.first] == "row" for a in reaching)
        if stored:
            explained = [a for a in explaining if not a.unlisted]
            return ("present" if explained else "provisional"), bool(settled)
        if any(a.unlisted for a in settled):
            return "unlisted", True
        missing = "unknown" if slot >= oldest else "unfetchable"
        return (absent if explaining else missing), bool(settled)


class Engine:
    """A migrated database that histories are written to, two times over."""

    def __init__(self, store: ClickHouse) -> None:
        self.store = store

    async def write(self, histories: Sequence[History], *, merged: bool = False) -> None:
        """`merged`: of a slot that has several versions all but the newest are revisions alone."""
        rows: dict[str, list[dict[str, Any]]] = {"candles": [], "coverage": [], "quarantine": []}
        for history in histories:
            for number, answer in enumerate(history.answers):
                _add(rows, history, answer, str(uuid5(UUID(int=2), str(number))))
        rows["candle_revisions"] = rows["candles"]
        if merged:
            newest = {
                (row["symbol"], row["open_time"]): row
                for row in sorted(rows["candles"], key=itemgetter("observed_at"))
            }
            rows["candles"] = list(newest.values())
        for _ in range(2):
            for table, items in rows.items():
                if items:
                    await self.store.insert_arrow(table, _columns(items))


def _add(rows: dict[str, list[Any]], history: History, answer: Answer, chunk: str) -> None:
    names = dict(zip(NAMES, (history.series.text.split("|")), strict=True))
    read = {"observed_at": history.read_at(answer)}
    covered = {"start": history.at(answer.first), "end": history.at(answer.last + 1)}
    common = names | ORIGIN | read | {"chunk_id": chunk}
    outcome = "unlisted" if answer.unlisted else "candles"
    rows["coverage"].append(common | covered | {"outcome": outcome})
    prices = dict.fromkeys(("open", "high", "low", "close", "volume"), 1.0)
    for slot, got in enumerate(answer.got, start=answer.first):
        at = {"open_time": history.at(slot)}
        if got == "row":
            rows["candles"].append(names | at | prices | {"source": "rest"} | read)
        elif got in REFUSED:
            at = {"open_time": history.at(slot) + REFUSED[got]}
            rows["quarantine"].append(common | at | {"raw": f"[{slot}]", "reason": "not_positive"})


def _columns(items: list[dict[str, Any]]) -> pa.Table:
    first = items[0]
    kinds = {datetime: TIME, float: pa.float64(), str: pa.string()}
    schema = pa.schema([(name, kinds[type(value)]) for name, value in first.items()])
    return pa.Table.from_pylist(items, schema)


@pytest.fixture(scope="module")
async def engine(clickhouse_server_url: str):
    """One database for all tests and examples, which differ by their symbols."""
    url = clickhouse_database_url(clickhouse_server_url, "slot_runs")
    async with clickhouse_database(url) as store:
        yield Engine(store)


_symbols = (f"S{number}/USDT" for number in itertools.count())


@pytest.fixture
def symbol() -> str:
    return next(_symbols)


async def runs(engine: Engine, history: History, window: TimeRange, venue=DENSE) -> list[SlotRun]:
    found = await slot_runs(
        engine.store,
        venue,
        symbols=[history.symbol],
        timeframe=history.timeframe,
        window=window,
        now=NOW,
    )
    return found[history.series]


def told(found: Sequence[SlotRun]) -> list[tuple[str, int]]:
    return [(run.state.value, run.slots) for run in found]


got = st.sampled_from(["row", "row", "nothing", "refused", "off grid"])
after = st.sampled_from([-3.0, -1.5, -1.0, -0.5, 0.0, 0.5, 50.0])
places = st.integers(-2, SLOTS)
unlisted = st.integers(1, 6).map(lambda slots: ("nothing",) * slots)
answers = st.lists(
    st.builds(Answer, places, st.lists(got, min_size=1, max_size=6), after)
    | st.builds(Answer, places, unlisted, after, st.just(True)),
    max_size=6,
)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@settings(max_examples=10)  # of up to twelve series: asking for one takes as long
@given(
    courses=st.lists(answers, min_size=1, max_size=12),
    timeframe=st.sampled_from(["1m", "1w", "1M"]),
    venue=st.sampled_from([DENSE, SPARSE]),
    bounds=st.tuples(st.integers(0, SLOTS), st.integers(0, SLOTS)).map(sorted),
    merged=st.booleans(),
    then=st.none() | st.integers(-2, SLOTS + 3),
    reach=st.none() | st.integers(1, SLOTS),
)
async def test_runs_say_of_every_slot_what_its_answers_say(
    engine: Engine, courses, timeframe, venue, bounds, merged, then, reach
):
    venue = venue.model_copy(update={"reach": reach})
    histories = [History(next(_symbols), timeframe, course) for course in courses]
    await engine.write(histories, merged=merged)
    as_of = None if then is None else histories[0].at(then) + SETTLE
    first, end = bounds[0], bounds[1] + 1
    window = histories[0].window(first, end)
    names = [history.symbol for history in histories]
    now = histories[0].at(SLOTS)
    oldest = venue.oldest_within_reach(histories[0].frame, as_of or now)
    rules = {
        "absent": "no_trade" if venue.sparse else "outage",
        "oldest": -1000 if oldest is None else _place(histories[0], oldest),
    }
    found = await slot_runs(
        engine.store, venue, symbols=names, timeframe=timeframe, window=window, now=now, as_of=as_of
    )
    if as_of is not None:
        histories = [history.by(as_of) for history in histories]
    assert list(found) == [history.series for history in sorted(histories, key=lambda h: h.symbol)]
    for history in histories:
        assert _slots(history, found[history.series], first) == {
            slot: history.state(slot, **rules)[0] for slot in range(first, end)
        }
        for run in found[history.series]:
            inside = range(*(_place(history, time) for time in (run.start, run.end)))
            assert run.answered == all(history.state(slot, **rules)[1] for slot in inside)


def _slots(history: History, found: Sequence[SlotRun], first: int) -> dict[int, str]:
    """The state of each slot, having seen that the runs leave nothing out and cannot be longer."""
    assert found[0].start == history.at(first)
    for run, following in itertools.pairwise(found):
        assert run.end == following.start
        assert run.state != following.state
    assert all(run.slots == history.frame.count(run.start, run.end) for run in found)
    return {
        slot: run.state.value
        for run in found
        for slot in range(_place(history, run.start), _place(history, run.end))
    }


def _place(history: History, time: datetime) -> int:
    return history.frame.number(time) - history.frame.number(history.at(0))


async def test_a_series_nobody_asked_for_is_unknown_from_end_to_end(engine: Engine, symbol: str):
    history = History(symbol, "1m", [])
    (run,) = await runs(engine, history, history.window())
    assert run == SlotRun(history.at(0), history.at(SLOTS), SLOTS, run.state, answered=False)
    assert run.state == "unknown"


async def test_slots_before_the_first_and_after_the_last_row_are_told(engine: Engine, symbol: str):
    history = History(symbol, "1m", [Answer(4, ("row", "row"))])
    await engine.write([history])
    found = await runs(engine, history, history.window())
    assert told(found) == [("unknown", 4), ("present", 2), ("unknown", 6)]


async def test_a_refused_row_leaves_its_slot_unknown_and_answered(engine: Engine, symbol: str):
    history = History(symbol, "1m", [Answer(0, ("row", "refused", "row"))])
    await engine.write([history])
    found = await runs(engine, history, history.window(0, 4))
    assert told(found) == [("present", 1), ("unknown", 1), ("present", 1), ("unknown", 1)]
    assert [run.answered for run in found] == [True, True, True, False]


async def test_a_row_of_another_range_is_no_refusal_of_its_slot(engine: Engine, symbol: str):
    history = History(symbol, "1m", [Answer(0, ("row", "nothing")), Answer(5, ("row",))])
    await engine.write([history])
    chunk = str(uuid5(UUID(int=2), "1"))
    beside = dict(zip(NAMES, history.series.text.split("|"), strict=True)) | ORIGIN
    beside |= {"chunk_id": chunk, "observed_at": history.read_at(history.answers[1])}
    beside |= {"open_time": history.at(1), "raw": "[]", "reason": "outside_window"}
    await engine.store.insert_arrow("quarantine", _columns([beside]))
    assert told(await runs(engine, history, history.window(0, 2))) == [
        ("present", 1),
        ("outage", 1),
    ]


async def test_months_are_counted_by_the_calendar(engine: Engine, symbol: str):
    history = History(symbol, "1M", [Answer(0, ("row",) * 2), Answer(3, ("row",))])
    await engine.write([history])
    found = await runs(engine, history, history.window(0, 5))
    assert [(run.start.month, run.end.month, run.state.value) for run in found] == [
        (2, 4, "present"),
        (4, 5, "unknown"),
        (5, 6, "present"),
        (6, 7, "unknown"),
    ]


async def test_a_window_off_the_grid_holds_the_slots_that_open_in_it(engine: Engine, symbol: str):
    history = History(symbol, "1m", [Answer(0, ("row",) * 5)])
    await engine.write([history])
    aside = timedelta(seconds=20)
    window = TimeRange(history.at(1) - aside, history.at(3) + aside)
    (run,) = await runs(engine, history, window)
    assert (run.start, run.end, run.slots) == (history.at(1), history.at(4), 3)


async def test_a_window_between_two_slots_has_no_run(engine: Engine, symbol: str):
    history = History(symbol, "1m", [])
    aside = timedelta(seconds=20)
    window = TimeRange(history.at(1) + aside, history.at(1) + 2 * aside)
    assert await runs(engine, history, window) == []


async def test_thousands_of_symbols_are_told_in_one_answer(engine: Engine, symbol: str):
    history = History(symbol, "1m", [Answer(0, ("row",) * SLOTS)])
    await engine.write([history])
    names = [f"LONGNAME{number}/USDT" for number in range(3000)] + [symbol]
    found = await slot_runs(
        engine.store, DENSE, symbols=names, timeframe="1m", window=history.window(), now=NOW
    )
    assert len(found) == 3001
    assert told(found[history.series]) == [("present", SLOTS)]


@settings(max_examples=10)
@given(
    courses=st.lists(answers, min_size=1, max_size=12),
    timeframe=st.sampled_from(["1m", "1d", "1w", "1M"]),
    from_first=st.booleans(),
)
async def test_counts_are_those_of_single_slots(engine: Engine, courses, timeframe, from_first):
    histories = [History(next(_symbols), timeframe, course) for course in courses]
    await engine.write(histories)
    wanted = {
        "symbols": [history.symbol for history in histories],
        "timeframe": timeframe,
        "window": histories[0].window(),
        "now": NOW,
        "from_first": from_first,
    }
    found = await counted_by_series(engine.store, DENSE, **wanted)
    by_day = await counted_by_day(engine.store, DENSE, **wanted)
    days: dict[date, Counter[str]] = defaultdict(Counter)
    for history in histories:
        slots = _counted_slots(history, from_first=from_first)
        assert (history.series in found) == bool(slots)
        for slot, state in slots.items():
            days[history.at(slot).date()][state] += 1
        if slots:
            counted = found[history.series]
            known = [slot for slot, state in slots.items() if state != "unknown"]
            assert dict(counted.states) == Counter(slots.values())
            assert (counted.start, counted.end) == (history.at(min(slots)), history.at(SLOTS))
            assert counted.known_until == (history.at(max(known) + 1) if known else None)
    assert by_day == days


def _counted_slots(history: History, *, from_first: bool) -> dict[int, str]:
    """The state of each slot that is counted."""
    told = {slot: history.state(slot, absent="outage") for slot in range(SLOTS)}
    begun = [slot for slot, (state, answered) in told.items() if answered or state != "unknown"]
    first = min(begun, default=SLOTS) if from_first else 0
    return {slot: state for slot, (state, _) in told.items() if slot >= first}


async def test_a_day_holds_the_slots_that_open_in_it(engine: Engine, symbol: str):
    history = History(symbol, "1m", [])
    evening = TimeRange(history.at(-3), history.at(1441))
    found = await counted_by_day(
        engine.store,
        DENSE,
        symbols=[symbol],
        timeframe="1m",
        window=evening,
        now=NOW,
        from_first=False,
    )
    assert {day.day: sum(states.values()) for day, states in found.items()} == {
        31: 3,
        1: 1440,
        2: 1,
    }
