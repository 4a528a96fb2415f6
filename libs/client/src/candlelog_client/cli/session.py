"""A command's talk with the server: find it, do the work, turn errors into sentences."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from candlelog.errors import CandlelogError
from candlelog_client.cli.exits import Exit, of_error
from candlelog_client.cli.output import fail
from candlelog_client.connection import discover

if TYPE_CHECKING:
    from candlelog_client.client import Candlelog

T = TypeVar("T")
Work = Callable[["Candlelog"], Awaitable[T]]


def run(data_dir: Path, work: Work[T], *, interrupted: str = "interrupted") -> T:
    """The result of `work` on the system that the environment or `data_dir` names."""
    return complete(lambda: _work(data_dir, work), interrupted=interrupted)


def complete(work: Callable[[], Coroutine[Any, Any, T]], *, interrupted: str = "interrupted") -> T:
    """The result of `work`, errors explained as `explained` does."""
    with explained(interrupted=interrupted):
        return asyncio.run(work())


@contextmanager
def explained(*, interrupted: str = "interrupted") -> Generator[None]:
    """An error of ours inside ends the command with a sentence and its exit code; so do a
    file that cannot be read or written, and an argument that is not text.

    Ctrl-C ends it with the sentence `interrupted`.
    """
    try:
        yield
    except CandlelogError as error:
        fail(str(error), of_error(error))
    except BrokenPipeError:  # the root of the command knows what to do
        raise
    except OSError as error:
        fail(str(error))
    except UnicodeError:
        fail("an argument is not UTF-8 text", Exit.USAGE)
    except KeyboardInterrupt:
        fail(interrupted, Exit.INTERRUPTED)


async def collect(items: AsyncIterable[T]) -> list[T]:
    """Every item there is."""
    return [item async for item in items]


async def _work(data_dir: Path, work: Work[T]) -> T:
    connection = discover(data_dir)
    from candlelog_client.client import Candlelog  # noqa: PLC0415 - heavy: `--help` stays quick

    async with Candlelog(connection.url, connection.token) as client:
        return await work(client)
