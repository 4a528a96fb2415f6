"""Events on their way from a transaction to the log, in the table `outbox` of a schema."""

from collections.abc import Sequence
from typing import Final

import orjson

from candlelog.log.publish import Publisher
from candlelog.log.types import Outgoing
from candlelog.stores.postgres import Connection, Pool, outages

_BATCH: Final = 1000

_APPEND: Final = """
INSERT INTO outbox (topic, key, value, headers)
SELECT topic, key, value, headers::jsonb
FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::text[])
     WITH ORDINALITY AS new (topic, key, value, headers, place)
ORDER BY place
"""
_LOCK: Final = """
SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.outbox', 0))
"""
_OLDEST: Final = "SELECT id, topic, key, value, headers FROM outbox ORDER BY id LIMIT $1"
_DELETE: Final = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"


async def append(connection: Connection, records: Sequence[Outgoing]) -> None:
    """Leave records to be published, in this order, once the transaction has committed."""
    await connection.execute(
        _APPEND,
        [record.topic for record in records],
        [record.key for record in records],
        [record.value for record in records],
        [
            orjson.dumps([(name, value.decode()) for name, value in record.headers]).decode()
            for record in records
        ],
    )


class Relay:
    """Publishes what stands in the outbox, oldest first, and deletes it once the log has it.

    One relay of a schema works at a time, whatever the number of processes, so events stay in
    order. A relay that dies between the two publishes the same records again: readers fold them by
    their versions. Rows that commit late have lower ids than rows already gone; they follow then,
    which is why a row is deleted by its id and never by a bound.
    """

    def __init__(self, pool: Pool, publisher: Publisher) -> None:
        self._pool = pool
        self._publisher = publisher

    async def step(self) -> bool:
        """Publish one batch; True when there may be more. Raises `Unavailable`."""
        with outages():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(_LOCK)
                rows = await connection.fetch(_OLDEST, _BATCH)
                if rows:
                    await self._publisher.send([_outgoing(*row[1:]) for row in map(tuple, rows)])
                    await connection.execute(_DELETE, [row["id"] for row in rows])
        return len(rows) == _BATCH


def _outgoing(topic: str, key: bytes, value: bytes, headers: list[tuple[str, str]]) -> Outgoing:
    return Outgoing(topic, key, value, tuple((name, text.encode()) for name, text in headers))
