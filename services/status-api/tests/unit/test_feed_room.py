"""How many live clients a replica serves."""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime
from uuid import UUID

from candlelog.clock import ManualClock
from status_api.adapters.changes import Reading
from status_api.domain.cursors import Positions
from status_api.domain.problems import Problem
from status_api.handlers.landings import Landings
from status_api.handlers.live import Feed

NOWHERE: Positions = {"jobs.commands": {}, "progress": {}}


class NoJobs:
    """Reads an empty projection, and takes a moment for it."""

    async def positions(self) -> Positions:
        await asyncio.sleep(0)
        return NOWHERE

    async def snapshot(self, ids: Collection[UUID] | None) -> Reading:
        del ids
        await asyncio.sleep(0)
        return Reading(NOWHERE, ())


def feed(most_clients: int) -> Feed:
    clock = ManualClock(datetime(2024, 2, 1, tzinfo=UTC))
    return Feed(NoJobs(), Landings(), clock, most_clients=most_clients)  # type: ignore[arg-type] -- as much of a reader as is used


async def test_clients_that_come_at_once_are_no_more_than_there_is_room_for():
    room = feed(most_clients=3)
    streams = [room.messages(None, None) for _ in range(10)]
    firsts = await asyncio.gather(*(anext(each) for each in streams), return_exceptions=True)
    refused = [each for each in firsts if isinstance(each, Problem)]
    assert [each.code for each in refused] == ["too_many_streams"] * 7
    for each in streams:
        await each.aclose()


async def test_who_leaves_makes_room():
    room = feed(most_clients=1)
    stays, follows = room.messages(None, None), room.messages(None, None)
    await anext(stays)
    await stays.aclose()
    await anext(follows)
    await follows.aclose()
