"""Slots in memory, for tests: keeps the promises that those of ClickHouse keep."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.slots import SlotRun, SlotState
from candlelog.market.timeframe import Timeframe, from_milliseconds


class MemorySlots:
    """What is known of each slot; the others are unknown.

    `refused` are slots whose rows were refused: unknown, but answered.
    """

    def __init__(self) -> None:
        self.known: dict[Series, dict[int, SlotState]] = {}
        self.refused: dict[Series, set[int]] = {}

    def learn(self, series: Series, window: TimeRange, state: SlotState) -> None:
        """Every slot of the window has that state from now on."""
        times = Timeframe.parse(series.timeframe).open_times_ms(window.start, window.end)
        self.known.setdefault(series, {}).update(dict.fromkeys(times.tolist(), state))

    def refuse(self, series: Series, window: TimeRange) -> None:
        """A settled answer reached the slots of the window, and their rows were refused."""
        times = Timeframe.parse(series.timeframe).open_times_ms(window.start, window.end)
        self.refused.setdefault(series, set()).update(times.tolist())

    async def runs(
        self, exchange: str, symbols: Sequence[str], timeframe: str, window: TimeRange
    ) -> Mapping[Series, Sequence[SlotRun]]:
        """See `gap_auditor.ports.Slots`."""
        all_series = [Series(exchange, symbol, timeframe) for symbol in symbols]
        return {series: self._runs(series, window) for series in all_series}

    def _runs(self, series: Series, window: TimeRange) -> list[SlotRun]:
        frame, known = Timeframe.parse(series.timeframe), self.known.get(series, {})
        refused = self.refused.get(series, set())
        times = frame.open_times_ms(window.start, window.end).tolist()
        runs: list[SlotRun] = []
        for state, part in groupby(times, lambda at: known.get(at, SlotState.UNKNOWN)):
            slots = list(part)
            start, last = from_milliseconds(slots[0]), from_milliseconds(slots[-1])
            answered = all(at in known or at in refused for at in slots)
            end = frame.advance(last, 1)
            runs.append(SlotRun(start, end, len(slots), state, answered))
        return runs
