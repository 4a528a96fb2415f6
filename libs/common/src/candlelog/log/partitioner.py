"""Which partition a key belongs to: Kafka's default, so that every client agrees."""

from itertools import count

_MASK = 0xFFFFFFFF
_MULTIPLIER = 0x5BD1E995
_SEED = 0x9747B28C


def partition_of(key: bytes, partitions: int) -> int:
    """Number of the partition, in `[0, partitions)`."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def key_into(partition: int, partitions: int) -> str:
    """A key that belongs to this partition, for a record that is about the partition itself."""
    keys = (f"partition-{partition}-{number}" for number in count())
    return next(key for key in keys if partition_of(key.encode(), partitions) == partition)


def murmur2(data: bytes) -> int:
    """The 32-bit MurmurHash2 of Kafka's Java client (A. Appleby, public domain)."""
    whole = len(data) & ~3
    state = (_SEED ^ len(data)) & _MASK
    for at in range(0, whole, 4):
        word = (int.from_bytes(data[at : at + 4], "little") * _MULTIPLIER) & _MASK
        word = ((word ^ (word >> 24)) * _MULTIPLIER) & _MASK
        state = ((state * _MULTIPLIER) & _MASK) ^ word
    if whole < len(data):
        rest = int.from_bytes(data[whole:], "little")
        state = ((state ^ rest) * _MULTIPLIER) & _MASK
    state = ((state ^ (state >> 13)) * _MULTIPLIER) & _MASK
    return state ^ (state >> 15)
