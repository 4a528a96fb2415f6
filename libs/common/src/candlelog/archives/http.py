"""An archive behind an HTTP address."""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final
from urllib.parse import quote

import aiohttp

from candlelog.archives.ports import BLOCK_BYTES
from candlelog.errors import Invalid, Unavailable
from candlelog.gathering import gather

_REQUESTS_AT_ONCE: Final = 32
_CONNECT_SECONDS: Final = 10
_READ_SECONDS: Final = 30
"""How long one waits for an answer, or for more of it."""
_AS_IT_LIES: Final = {"Accept-Encoding": "identity"}


class HttpArchive:
    """Files below the address `base`: see `candlelog.archives.ports.Archive`.

    A file is there unless the answer is 404. Connections last as long as the call that opened them.
    """

    def __init__(self, base: str) -> None:
        self._base = base.rstrip("/")

    @property
    def is_remote(self) -> bool:
        """It is."""
        return True

    async def versions(self, paths: Sequence[str]) -> Mapping[str, str]:
        """A HEAD request for each path, some of them at a time. The version is the ETag, or else
        when the file was changed last, and its length."""
        waiting, found = iter(paths), dict[str, str]()
        async with self._session() as session:
            await gather(
                self._ask(session, waiting, found)
                for _ in range(min(_REQUESTS_AT_ONCE, len(paths)))
            )
        return found

    async def index(self) -> Mapping[str, str]:
        """Not over HTTP."""
        raise Invalid(
            "an archive behind an HTTP address cannot be looked through; download its files, "
            "and name the folder they are in"
        )

    @asynccontextmanager
    async def open(self, path: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """The file as it comes in."""
        async with self._session() as session:
            with _outages(path):
                answer = await session.get(self._url(path))
            async with answer:
                if not _is_there(path, answer):
                    raise Invalid(f"{path} is not in the archive")
                yield _blocks(path, answer)

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_REQUESTS_AT_ONCE),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=_CONNECT_SECONDS, sock_read=_READ_SECONDS
            ),
            headers=_AS_IT_LIES,
            auto_decompress=False,
            trust_env=True,
        )

    def _url(self, path: str) -> str:
        return f"{self._base}/{quote(path)}"

    async def _ask(
        self, session: aiohttp.ClientSession, waiting: Iterator[str], found: dict[str, str]
    ) -> None:
        """Ask for one path after another, until none waits."""
        for path in waiting:
            with _outages(path):
                async with session.head(self._url(path), allow_redirects=True) as answer:
                    if _is_there(path, answer):
                        found[path] = _version(answer)


def _is_there(path: str, answer: aiohttp.ClientResponse) -> bool:
    if answer.status == 404:
        return False
    if answer.status != 200:
        raise Unavailable(f"{path} of the archive: the answer is {answer.status}")
    return True


def _version(answer: aiohttp.ClientResponse) -> str:
    headers = answer.headers
    changed, length = headers.get("Last-Modified", ""), headers.get("Content-Length", "")
    return headers.get("ETag") or f"{changed} {length}"


async def _blocks(path: str, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    content = answer.content.iter_chunked(BLOCK_BYTES)
    while True:
        with _outages(path):
            block = await anext(content, b"")
        if not block:
            return
        yield block


@contextmanager
def _outages(path: str) -> Generator[None]:
    """What aiohttp raises, as an error of ours; without the address, which may hold a password."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(
            f"{path} of the archive cannot be read: {type(error).__name__}"
        ) from error
