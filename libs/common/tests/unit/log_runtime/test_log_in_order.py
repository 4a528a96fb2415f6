"""Records of several partitions in the order in which they were appended."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from candlelog.errors import Unavailable
from candlelog.log.in_order import InOrder
from candlelog.log.types import Partition, Record

START = datetime(2024, 3, 1, tzinfo=UTC)


def record(partition: int, offset: int, second: int) -> Record:
    appended = START + timedelta(seconds=second)
    return Record(Partition("topic", partition), offset, b"", b"", (), appended)


class OnePartitionAfterTheOther:
    """A consumer as Kafka's clients are: they give what they have of a partition, then the next."""

    def __init__(self, *records: Record) -> None:
        self.records = sorted(records, key=lambda each: (each.partition, each.offset))
        self.committed: Mapping[Partition, int] = {}
        self.lag = 7
        self.away = False
        self.release = None

    async def poll(self, *, max_records: int, timeout: float) -> Sequence[Record]:  # noqa: ASYNC109 - part of the port
        if self.away:
            raise Unavailable("the log is away")
        found, self.records = self.records[:max_records], self.records[max_records:]
        return found

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        self.committed = positions

    def before_revoke(self, release) -> None:
        self.release = release


async def drained(consumer: InOrder, at_once: int) -> list[int]:
    seconds: list[int] = []
    while found := await consumer.poll(max_records=at_once, timeout=0.1):
        assert len(found) <= at_once
        seconds += [(each.appended_at - START).seconds for each in found]
    return seconds


async def test_the_oldest_records_come_first_whatever_their_partitions():
    records = [record(second % 3, second // 3, second) for second in range(30)]
    consumer = InOrder(OnePartitionAfterTheOther(*records))
    assert await drained(consumer, at_once=4) == list(range(30))


async def test_records_of_a_partition_stay_in_the_order_of_their_offsets():
    records = [record(0, offset, second=5) for offset in range(6)]
    found = await InOrder(OnePartitionAfterTheOther(*records)).poll(max_records=9, timeout=0.1)
    assert [each.offset for each in found] == list(range(6))


async def test_clocks_that_differ_do_not_change_the_order_of_a_partition():
    records = [record(0, 0, 9), record(0, 1, 2), record(0, 2, 7), record(1, 0, 5), record(1, 1, 8)]
    found = await InOrder(OnePartitionAfterTheOther(*records)).poll(max_records=9, timeout=0.1)
    assert [each.offset for each in found if each.partition.number == 0] == [0, 1, 2]
    assert [each.offset for each in found if each.partition.number == 1] == [0, 1]


async def test_more_than_may_wait_are_not_read_ahead():
    inner = OnePartitionAfterTheOther(*(record(0, offset, offset) for offset in range(3000)))
    consumer = InOrder(inner)
    await consumer.poll(max_records=1, timeout=0.1)
    assert len(inner.records) == 2000
    assert await drained(consumer, at_once=500) == list(range(1, 3000))


async def test_what_waits_is_forgotten_when_the_partitions_are_taken_away():
    inner = OnePartitionAfterTheOther(record(0, 0, 0), record(0, 1, 1))
    consumer, released = InOrder(inner), []

    async def release() -> None:
        released.append(await consumer.poll(max_records=9, timeout=0.0))

    consumer.before_revoke(release)
    await consumer.poll(max_records=1, timeout=0.1)
    assert inner.release is not None
    await inner.release()
    assert released == [[]]


async def test_what_waits_is_handed_out_while_the_log_is_away():
    inner = OnePartitionAfterTheOther(*(record(0, offset, offset) for offset in range(3)))
    consumer = InOrder(inner)
    await consumer.poll(max_records=1, timeout=0.1)
    inner.away = True
    found = await consumer.poll(max_records=2, timeout=0.1)
    assert [each.offset for each in found] == [1, 2]


async def test_an_outage_is_told_when_nothing_waits():
    inner = OnePartitionAfterTheOther()
    inner.away = True
    with pytest.raises(Unavailable):
        await InOrder(inner).poll(max_records=1, timeout=0.1)


async def test_commits_and_lag_are_those_of_the_consumer():
    inner = OnePartitionAfterTheOther()
    consumer = InOrder(inner)
    await consumer.commit({Partition("topic", 0): 4})
    assert (inner.committed, consumer.lag) == ({Partition("topic", 0): 4}, 7)
