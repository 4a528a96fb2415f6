"""What the projector needs of a store."""

from collections.abc import Mapping, Set
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from candlelog.log.types import Partition
from status_api.domain.rows import Keys, Rows


class ProjectionTransaction(Protocol):
    """One batch of events: all of its rows and its positions, or nothing."""

    @property
    def positions(self) -> Mapping[Partition, int]:
        """Next offset to fold of each partition, held against other writers until the end."""
        ...

    async def load(self, keys: Keys) -> Rows:
        """The rows that stand; keys without a row are left out."""
        ...

    async def save(self, rows: Rows, positions: Mapping[Partition, int]) -> None:
        """Write rows and advance positions. A submission or answer that stands already stays."""
        ...


class ProjectionStore(Protocol):
    """Where the projection is kept. Everything may raise `Unavailable`."""

    def transaction(
        self, partitions: Set[Partition]
    ) -> AbstractAsyncContextManager[ProjectionTransaction]:
        """Begin a batch of these partitions; leaving without an error makes it durable."""
        ...

    async def drop_deleted(self) -> bool:
        """Drop some of the tasks and chunks of deleted jobs; whether there were any."""
        ...
