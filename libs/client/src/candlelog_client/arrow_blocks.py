"""An Arrow stream as its bytes arrive, turned into record batches without holding the range."""

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pyarrow as pa

from candlelog_client.errors import ServerProblem


class Batches:
    """The record batches of an Arrow stream in order, each read when it is asked for."""

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self._reader = reader
        self.schema: pa.Schema = reader.schema

    async def __aiter__(self) -> AsyncIterator[pa.RecordBatch]:
        """Each batch, until the stream ends."""
        while (batch := await asyncio.to_thread(_next, self._reader)) is not None:
            yield batch


@asynccontextmanager
async def opened(blocks: AsyncIterator[bytes]) -> AsyncGenerator[Batches]:
    """The stream whose bytes these blocks are, once its columns are known.

    Reading raises `ServerProblem` for bytes that are no Arrow stream, and what `blocks` raise.
    """
    arriving = _Arriving(blocks, asyncio.get_running_loop())
    try:
        yield Batches(await asyncio.to_thread(_open, io.BufferedReader(arriving)))
    finally:
        arriving.give_up()


class _Arriving(io.RawIOBase):
    """Blocks of an event loop as a file, which a thread reads."""

    def __init__(self, blocks: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self._blocks = blocks
        self._loop = loop
        self._block = memoryview(b"")
        # Both belong to the loop: the thread may be far behind it.
        self._awaiting: asyncio.Task[object] | None = None
        self._given_up = False

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def readinto(self, target: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride] -- the type of buffers has no name before Python 3.12
        """Fill `target` as far as the block at hand goes; 0 is the end."""
        while not self._block:
            block = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
            if block is None:
                return 0
            self._block = memoryview(block)
        size = min(len(target), len(self._block))
        target[:size] = self._block[:size]
        self._block = self._block[size:]
        return size

    def give_up(self) -> None:
        """End the reading that is under way, if any: nobody waits for it any more."""
        self._given_up = True
        if self._awaiting is not None:
            self._awaiting.cancel()

    async def _next(self) -> bytes | None:
        if self._given_up:
            return None
        self._awaiting = asyncio.current_task()
        return await anext(self._blocks, None)


def _open(file: io.BufferedReader) -> pa.RecordBatchReader:
    try:
        return pa.ipc.open_stream(file)
    except pa.ArrowInvalid as error:
        raise _unreadable(error) from error


def _next(reader: pa.RecordBatchReader) -> pa.RecordBatch | None:
    try:
        return reader.read_next_batch()
    except StopIteration:
        return None
    except (pa.ArrowInvalid, OSError) as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> ServerProblem:
    return ServerProblem(f"the server's answer is no Arrow stream: {error}")
