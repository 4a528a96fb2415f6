"""Looking for a page of candles in pieces: where history is dense the first piece holds it."""

from collections.abc import Iterator

Bounds = tuple[int, int]
"""Milliseconds since the epoch, half-open."""


def pieces(bounds: Bounds, first: int) -> Iterator[Bounds]:
    """`bounds` cut into pieces in order: the first so long, each one after it twice the one before.

    Reading a whole history to find its first thousand rows costs an engine ten times what reading
    the piece costs that holds them; doubling crosses any hole in a few steps.
    """
    start, end = bounds
    length = max(first, 1)
    while start < end:
        yield start, min(start + length, end)
        start, length = start + length, 2 * length


def overlap(one: Bounds, other: Bounds) -> Bounds:
    """What both hold; empty where start is not before end."""
    return max(one[0], other[0]), min(one[1], other[1])
