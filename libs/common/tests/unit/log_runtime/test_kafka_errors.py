"""What goes wrong at the broker, as one of our errors."""

import pytest
from aiokafka import errors

from candlelog.errors import Fatal, Fenced, Invalid, Unavailable
from candlelog.log.kafka.errors import mapped


@pytest.mark.parametrize(
    ("met", "meant"),
    [
        (TimeoutError(), Unavailable),
        (errors.KafkaTimeoutError(), Unavailable),
        (errors.NotLeaderForPartitionError(), Unavailable),
        (errors.IllegalStateError("the partition was taken away meanwhile"), Unavailable),
        (errors.ProducerFenced(), Fenced),
        (errors.MessageSizeTooLargeError(), Invalid),
        (errors.TopicAuthorizationFailedError(), Fatal),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else type(value).__name__,
)
def test_an_error_of_the_client_is_one_of_ours(met: Exception, meant: type[Exception]):
    with pytest.raises(meant) as raised, mapped("asking"):
        raise met
    assert type(raised.value) is meant
