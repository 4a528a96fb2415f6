"""A producer whose client has died gets another one."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, OutOfOrderSequenceNumber

from candlelog.errors import Unavailable
from candlelog.log.kafka.producer import KafkaProducer, KafkaTransactionalProducer
from candlelog.log.types import Outgoing

MESSAGE = Outgoing("topic", b"k", b"v", ())


class FakeClient:
    """Answers every send with `failure`, or with offset 7."""

    def __init__(self, failure=None, start_failure=None):
        self.failure = failure
        self.start_failure = start_failure
        self.running = False

    async def start(self):
        if self.start_failure is not None:
            raise self.start_failure
        self.running = True

    async def stop(self):
        self.running = False

    async def send(self, topic, value, *, key, headers):
        if self.failure is not None:
            raise self.failure
        future = asyncio.get_running_loop().create_future()
        future.set_result(SimpleNamespace(offset=7))
        return future

    async def begin_transaction(self):
        pass

    async def commit_transaction(self):
        pass

    async def abort_transaction(self):
        pass


async def opened(*clients):
    rest = iter(clients)
    producer = KafkaProducer(lambda: next(rest))
    await producer.start()
    return producer


@pytest.mark.parametrize("failure", [OutOfOrderSequenceNumber(), KafkaError("sender died")])
async def test_a_dead_client_is_replaced_and_the_next_send_succeeds(failure):
    dead, fresh = FakeClient(failure), FakeClient()
    producer = await opened(dead, fresh)
    with pytest.raises(Unavailable):
        await producer.send([MESSAGE])

    assert (dead.running, fresh.running) == (False, True)
    assert await producer.send([MESSAGE, MESSAGE]) == [7, 7]


async def test_an_outage_keeps_the_client():
    client = FakeClient(KafkaConnectionError())
    producer = await opened(client)
    with pytest.raises(Unavailable):
        await producer.send([MESSAGE])

    assert client.running
    client.failure = None
    assert await producer.send([MESSAGE]) == [7]


async def test_many_that_find_the_client_dead_replace_it_once():
    dead, fresh = FakeClient(KafkaError("sender died")), FakeClient()
    producer = await opened(dead, fresh)
    found = await asyncio.gather(
        *(producer.send([MESSAGE]) for _ in range(5)), return_exceptions=True
    )

    assert all(isinstance(error, Unavailable) for error in found)
    assert await producer.send([MESSAGE]) == [7]


async def test_a_replacement_that_cannot_start_is_tried_again():
    clients = (
        FakeClient(KafkaError("sender died")),
        FakeClient(start_failure=KafkaConnectionError()),
        FakeClient(),
    )
    producer = await opened(*clients)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await producer.send([MESSAGE])

    assert await producer.send([MESSAGE]) == [7]


async def test_after_a_transaction_in_doubt_the_producer_is_of_no_more_use():
    client = FakeClient(KafkaConnectionError())
    producer = KafkaTransactionalProducer(client)
    with pytest.raises(Unavailable):
        await producer.send_atomically([MESSAGE])
    client.failure = None
    with pytest.raises(Unavailable, match="open another"):
        await producer.send_atomically([MESSAGE])


async def test_a_broker_that_lists_no_broker_yet_is_an_outage():
    client = FakeClient(start_failure=AssertionError("Did we not perform bootstrap?"))
    with pytest.raises(Unavailable, match="no broker is listed"):
        await opened(client)
