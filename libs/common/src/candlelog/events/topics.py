"""The table of topics: the only place that spells a topic's name."""

from dataclasses import dataclass

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
"""Largest record: a market list or a batch of candles stays far below; topics allow it by their
own setting, so that brokers may keep their default."""

MAX_DEAD_LETTER_BYTES = MAX_MESSAGE_BYTES + 64 * 1024
"""A dead letter carries its reason beside the largest record there is."""

_DAY = 86_400_000
_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of the log. `retention_ms` is None where records are kept without limit; where the
    topic is `compacted`, too, the newest of a key goes when it is older."""

    name: str
    keyed_by: str
    partitions: int
    retention_ms: int | None
    compacted: bool = False
    dead_letters: bool = False
    max_message_bytes: int = MAX_MESSAGE_BYTES

    def full_name(self, prefix: str = "candlelog.") -> str:
        """The name on the broker."""
        return prefix + self.name

    @property
    def cleanup(self) -> tuple[str, ...]:
        """How records are removed, in Kafka's words."""
        if not self.compacted:
            return ("delete",)
        return ("compact",) if self.retention_ms is None else ("compact", "delete")

    def configuration(self) -> dict[str, str]:
        """The topic's settings in Kafka's words."""
        return {
            "cleanup.policy": ",".join(self.cleanup),
            "retention.ms": str(-1 if self.retention_ms is None else self.retention_ms),
            "max.message.bytes": str(self.max_message_bytes),
        }


JOBS_COMMANDS = Topic("jobs.commands", "job id", 6, None, dead_letters=True)
# Longer than a request is kept: its 3 days, and the 7 of a segment. Jobs at work are told of again.
JOBS_CONTROL = Topic("jobs.control", "job id", 1, 14 * _DAY, compacted=True)
FETCH_REQUESTED = Topic("fetch.requested", "chunk id", 12, 3 * _DAY, dead_letters=True)
CANDLES = Topic("candles", "series", 12, 30 * _DAY, dead_letters=True)
FEATURES = Topic("features", "series", 12, 7 * _DAY, dead_letters=True)
REPLAY_REQUESTED = Topic("replay.requested", "series", 12, 3 * _DAY, dead_letters=True)
PROGRESS = Topic("progress", "job id", 6, None, dead_letters=True)
LIMITS_DEMAND = Topic("limits.demand", "budget", 1, _HOUR)
LIMITS_LEDGER = Topic("limits.ledger", "budget", 1, 7 * _DAY)
SINK_WATERMARKS = Topic("sink.watermarks", "topic-partition", 1, None, compacted=True)
MARKETS = Topic("markets", "exchange", 1, None, compacted=True)
GAPS = Topic("gaps", "series", 6, 30 * _DAY, dead_letters=True)
SERVICES = Topic("services", "service instance", 1, None, compacted=True)
DEAD_LETTERS = Topic(
    "dead-letters",
    "key of the original",
    3,
    30 * _DAY,
    max_message_bytes=MAX_DEAD_LETTER_BYTES,
)

TOPICS: tuple[Topic, ...] = (
    JOBS_COMMANDS, JOBS_CONTROL, FETCH_REQUESTED, CANDLES, FEATURES, PROGRESS, REPLAY_REQUESTED,
    LIMITS_DEMAND, LIMITS_LEDGER, SINK_WATERMARKS, GAPS, MARKETS, SERVICES, DEAD_LETTERS,
)  # fmt: skip
