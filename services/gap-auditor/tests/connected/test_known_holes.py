"""Fifty series with known holes on the real stores: every hole is found, and nothing else is."""

from random import Random

import pytest

from candlelog.events.gaps import GapOpenedV1
from candlelog.events.progress import TaskAuditedV1
from candlelog.market.series import Series
from candlelog.market.slots import SlotState

pytestmark = pytest.mark.connected

SLOTS = 1440
SERIES = [Series("binance", f"S{number:02d}/USDT", "1m") for number in range(50)]


def drawn(random: Random) -> list[tuple[int, int]]:
    """Holes at the start, in the middle and at the end, of one slot or of many, or at none."""
    holes = [
        (0, random.choice([1, 60])),
        (random.randint(200, 300), random.randint(301, 500)),
        (700, 701),
        (SLOTS - random.choice([1, 90]), SLOTS),
    ]
    return [hole for hole in holes if random.random() < 0.75]


async def test_every_hole_is_found_and_nothing_else(engine, desk_over, job, in_minutes):
    random = Random(5)
    holes = {series: drawn(random) for series in SERIES}
    refused = {series: random.random() < 0.5 for series in SERIES}
    async with engine.at_once():
        for series in SERIES:
            at = 0
            for start, end in [*holes[series], (SLOTS, SLOTS)]:
                if at < start:
                    await engine.learn(series, in_minutes(at, start), SlotState.PRESENT)
                if start < end and refused[series]:
                    await engine.refuse(series, in_minutes(start, end))
                at = end
            # An outage of the venue is no hole: it has answered.
            await engine.learn(series, in_minutes(600, 660), SlotState.OUTAGE)
    desk, whole = desk_over(engine.slots), job(0, SLOTS, *SERIES)
    await desk.hear(*whole.planned(), *whole.tasks("completed_with_errors"), whole.ended())
    found: dict[Series, list[tuple[int, int]]] = {series: [] for series in SERIES}
    begin = in_minutes(0, 1).start
    for event in desk.said(GapOpenedV1):
        bounds = ((time - begin).total_seconds() // 60 for time in (event.start, event.end))
        found[Series.parse(event.key)].append(tuple(map(int, bounds)))
    assert {series: sorted(ranges) for series, ranges in found.items()} == holes
    unknown = {each.task_id: each.slots_unknown for each in desk.said(TaskAuditedV1)}
    assert unknown == {
        whole.task_id(series): sum(end - start for start, end in holes[series]) for series in SERIES
    }
