"""Slots in memory keep the promises that those of ClickHouse keep."""

import inspect

import pytest

from candlelog.market.series import Series
from candlelog.market.slots import SlotState

pytestmark = pytest.mark.connected

BTC, ETH = (Series("binance", symbol, "1m") for symbol in ("BTC/USDT", "ETH/USDT"))


class Taught:
    """Slots of either kind, and how they are taught."""

    def __init__(self, slots, teacher) -> None:
        self.slots, self._teacher = slots, teacher

    async def learn(self, *what) -> None:
        await _done(self._teacher.learn(*what))

    async def refuse(self, *what) -> None:
        await _done(self._teacher.refuse(*what))

    async def told(self, window, *series: Series):
        found = await self.slots.runs("binance", [each.symbol for each in series], "1m", window)
        assert set(found) == set(series)
        return [
            [(run.state.value, run.slots, run.answered) for run in found[each]] for each in series
        ]


async def _done(result: object) -> None:
    if inspect.isawaitable(result):
        await result


@pytest.fixture(params=["memory", "clickhouse"])
def taught(request: pytest.FixtureRequest, slots) -> Taught:
    if request.param == "memory":
        return Taught(slots, slots)
    engine = request.getfixturevalue("engine")
    return Taught(engine.slots, engine)


async def test_what_nobody_asked_for_is_unknown(taught, in_minutes):
    assert await taught.told(in_minutes(0, 5), BTC, ETH) == [[("unknown", 5, False)]] * 2


async def test_runs_leave_nothing_out_and_stay_within_the_window(taught, in_minutes):
    await taught.learn(BTC, in_minutes(2, 4), SlotState.PRESENT)
    await taught.learn(BTC, in_minutes(4, 20), SlotState.OUTAGE)
    assert await taught.told(in_minutes(0, 10), BTC) == [
        [("unknown", 2, False), ("present", 2, True), ("outage", 6, True)]
    ]
    (runs,) = (await taught.slots.runs("binance", ["BTC/USDT"], "1m", in_minutes(0, 10))).values()
    assert runs[0].start == in_minutes(0, 1).start
    assert [run.start for run in runs[1:]] == [run.end for run in runs[:-1]]


async def test_refused_rows_leave_their_slots_unknown_but_answered(taught, in_minutes):
    await taught.refuse(BTC, in_minutes(1, 3))
    assert await taught.told(in_minutes(1, 3), BTC) == [[("unknown", 2, True)]]
    assert await taught.told(in_minutes(0, 3), BTC) == [[("unknown", 3, False)]]


async def test_each_series_has_its_own_slots(taught, in_minutes):
    await taught.learn(ETH, in_minutes(0, 2), SlotState.PRESENT)
    assert await taught.told(in_minutes(0, 2), BTC, ETH) == [
        [("unknown", 2, False)],
        [("present", 2, True)],
    ]
