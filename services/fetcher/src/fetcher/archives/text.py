"""The text of a file in blocks of whole lines."""

from collections.abc import Iterator
from typing import IO, Final

_LONGEST_LINE: Final = 64 * 1024


def whole_lines(text: IO[bytes], block_bytes: int, *, cut_to: int) -> Iterator[tuple[bytes, bool]]:
    """Lines, each with the newline after it. One that is too long for any candle comes alone, its
    first `cut_to` bytes, and `True` says so.
    """
    rest = b""
    while piece := text.read(block_bytes):
        lines, newline, rest = (rest + piece).rpartition(b"\n")
        if newline:
            yield lines + newline, False
        if len(rest) > _LONGEST_LINE:
            yield rest[:cut_to] + b"\n", True
            rest = _after_the_line(text, block_bytes)
    if rest:
        yield rest if rest.endswith(b"\n") else rest + b"\n", False


def _after_the_line(text: IO[bytes], block_bytes: int) -> bytes:
    while piece := text.read(block_bytes):
        _, newline, rest = piece.partition(b"\n")
        if newline:
            return rest
    return b""
