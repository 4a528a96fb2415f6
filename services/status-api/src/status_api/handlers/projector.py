"""Events of `jobs.commands`, `progress` and `gaps` into the projection."""

from collections.abc import Sequence
from uuid import UUID

from candlelog.log.outcome import Done, Outcome, Skip
from candlelog.log.types import Partition, Received
from status_api.domain.fold import Landed, fold, keys
from status_api.domain.rows import Rows
from status_api.handlers.landings import Landings
from status_api.ports import ProjectionStore

_FOLDED = Skip("folded before")


class Projector:
    """Folds batches, each once: rows and offsets become durable together."""

    def __init__(self, store: ProjectionStore, landings: Landings) -> None:
        self._store = store
        self._landings = landings

    async def handle(self, received: Sequence[Received]) -> Sequence[Outcome]:
        """Fold the events that no batch before has folded; may raise `Unavailable`."""
        partitions = {each.record.partition for each in received}
        async with self._store.transaction(partitions) as transaction:
            positions = transaction.positions
            new = [
                each for each in received if each.record.offset >= positions[each.record.partition]
            ]
            landed = [
                Landed(each.event, each.record.partition.number, each.record.offset) for each in new
            ]
            rows = fold(await transaction.load(keys(landed)), landed)
            await transaction.save(rows, _positions(new))
        self._landings.announce(_landed_keys(rows))
        done = {id(each) for each in new}
        return [Done() if id(each) in done else _FOLDED for each in received]


def _positions(received: Sequence[Received]) -> dict[Partition, int]:
    return {each.record.partition: each.record.offset + 1 for each in received}


def _landed_keys(rows: Rows) -> set[UUID]:
    return {*rows.submissions, *rows.answers}
