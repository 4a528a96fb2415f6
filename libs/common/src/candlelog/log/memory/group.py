"""Consumer groups in memory: eager, round-robin, with committed positions."""

import asyncio
from collections.abc import Mapping, Sequence

from candlelog.log.memory.store import Cursor, MemoryStore
from candlelog.log.ports import Release
from candlelog.log.types import Partition, Record


class MemoryGroup:
    """Shares the partitions of its members' topics out anew whenever one comes or goes."""

    def __init__(self, store: MemoryStore) -> None:
        self.committed: dict[Partition, int] = {}
        self._store = store
        self._members: list[MemoryConsumer] = []
        self._rebalancing = asyncio.Lock()

    async def join(self, member: "MemoryConsumer") -> None:
        """Take a member in; every other one lets go first."""
        async with self._rebalancing:
            await self._revoke()
            self._members.append(member)
            self._assign()

    async def leave(self, member: "MemoryConsumer") -> None:
        """Let a member go, without asking it to release anything."""
        async with self._rebalancing:
            member.assign({})
            self._members.remove(member)
            await self._revoke()
            self._assign()

    async def _revoke(self) -> None:
        await asyncio.gather(*(member.revoke() for member in self._members))

    def _assign(self) -> None:
        shares: list[dict[Partition, int]] = [{} for _ in self._members]
        topics = {topic for member in self._members for topic in member.topics}
        for turn, partition in enumerate(self._store.partitions(topics) if topics else ()):
            takers = [
                at for at, member in enumerate(self._members) if partition.topic in member.topics
            ]
            shares[takers[turn % len(takers)]][partition] = self.committed.get(partition, 0)
        for member, share in zip(self._members, shares, strict=True):
            member.assign(share)


class MemoryConsumer:
    """`Consumer` in memory."""

    def __init__(self, store: MemoryStore, group: MemoryGroup, topics: Sequence[str]) -> None:
        self.topics = topics
        self._store = store
        self._group = group
        self._cursor = Cursor(store, {})
        self._held: frozenset[Partition] = frozenset()
        self._release: Release | None = None

    @property
    def lag(self) -> int:
        """Records between what was committed and the ends of the partitions held."""
        committed = self._group.committed
        return sum(self._store.end(held) - committed.get(held, 0) for held in self._held)

    async def poll(self, *, max_records: int, timeout: float) -> Sequence[Record]:  # noqa: ASYNC109 - part of the port
        """New records."""
        return await self._cursor.poll(max_records, timeout)

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Store the positions of the partitions still held."""
        self._store.check()
        self._group.committed.update(
            {partition: at for partition, at in positions.items() if partition in self._held}
        )

    def before_revoke(self, release: Release) -> None:
        """Have `release` called before partitions are taken away."""
        self._release = release

    async def revoke(self) -> None:
        """Take everything away: nothing is read from now on, commits count until this returns."""
        self._cursor.positions.clear()
        if self._release is not None and self._held:
            await self._release()
        self._held = frozenset()

    def assign(self, positions: Mapping[Partition, int]) -> None:
        """Hold these partitions, and read them from these positions."""
        self._held = frozenset(positions)
        self._cursor.positions.clear()
        self._cursor.positions.update(positions)
        self._store.wake()
