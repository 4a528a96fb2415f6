"""What a broker's refusals mean to whoever makes topics."""

from types import SimpleNamespace

import pytest

from candlelog.errors import Unavailable
from candlelog.log.kafka.admin import KafkaAdmin, TopicState


class Fenced:
    """A cluster whose only broker was away for a while, and is not let in yet."""

    def __init__(self, *brokers):
        self._brokers = brokers

    async def describe_cluster(self):
        return {"brokers": self._brokers}

    async def create_topics(self, topics):
        errors = [
            {"topic": topic.name, "error_code": 38, "error_message": "All brokers are fenced."}
            for topic in topics
        ]
        return SimpleNamespace(to_object=lambda: {"topic_errors": errors})


@pytest.mark.parametrize(("brokers", "reason"), [((), "no broker"), (("one",), "fenced")])
async def test_a_cluster_without_a_broker_to_hold_a_topic_is_unavailable_not_broken(
    brokers, reason
):
    admin = KafkaAdmin(Fenced(*brokers))

    with pytest.raises(Unavailable, match=reason):
        await admin.create([TopicState("candles", 2, {})])
