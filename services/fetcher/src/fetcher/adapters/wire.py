"""HTTP to a venue: one request for one leave, whatever the HTTP client would like to repeat."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.request import getproxies, proxy_bypass

import aiohttp
import yarl

from candlelog.clock import Clock
from fetcher.domain.failures import Away, Reset, Transient
from fetcher.ports import Gate

if TYPE_CHECKING:
    from aiohttp.connector import Connection

_CONNECT_SECONDS: Final = 5.0
_USER_AGENT: Final = "candlelog"
_MOST_BYTES: Final = 64 * 1024 * 1024
"""More than any answer has, unpacked: a list of all markets has some 20 MB."""


@dataclass(slots=True)
class Flight:
    """One request on its way. `sent` is our steady clock, None until it was written."""

    gate: Gate
    sent: float | None = None


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status, headers (names in lower case) and body; times are our steady clock."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent: float
    received: float


_FLIGHT: ContextVar[Flight] = ContextVar("flight")


class _GatedConnector(aiohttp.TCPConnector):
    """Asks for leave once a connection is at hand.

    aiohttp writes a request without a body right after this returns, in the same step of the
    event loop: nothing can come between the leave and the write. aiohttp repeats a GET by itself
    when the connection was closed without an answer; that comes here too, and is refused: the
    venue may have counted the first one, so the second needs a leave of its own.
    """

    def __init__(self, clock: Clock, limit: int) -> None:
        super().__init__(limit=limit, keepalive_timeout=30.0)
        self._clock = clock

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[aiohttp.tracing.Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 -- aiohttp's signature
    ) -> "Connection":
        """A connection, and leave to write one request to it."""
        flight = _FLIGHT.get()
        if flight.sent is not None:
            raise Reset("the connection was reset")
        connection = await super().connect(req, traces, timeout)
        try:
            flight.gate()
        except BaseException:
            connection.release()
            raise
        flight.sent = self._clock.monotonic()
        return connection


class Wire:
    """GET requests over one pool of connections; maps what is no whole answer to our failures."""

    def __init__(self, session: aiohttp.ClientSession, clock: Clock, answer_seconds: float) -> None:
        self._session = session
        # Read once: aiohttp would look for them, and for a netrc file, with every request.
        self._proxies: Final = getproxies()
        self._clock = clock
        self._answer_seconds: Final = answer_seconds

    async def get(self, url: str, gate: Gate) -> HttpAnswer:
        """The whole answer. Raises what `gate` raises, `Away` without an answer, `Transient` when
        one was cut short or is too long."""
        flight = Flight(gate)
        token = _FLIGHT.set(flight)
        try:
            return await self._get(url, flight)
        except aiohttp.ClientPayloadError as error:
            raise Transient("cut_short", "the answer was cut short") from error
        except TimeoutError as error:
            seconds = f"{self._answer_seconds:.0f} s"
            raise Away(f"no complete answer within {seconds}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Away(f"cannot be reached: {type(error).__name__}: {error}") from error
        finally:
            _FLIGHT.reset(token)

    async def _get(self, url: str, flight: Flight) -> HttpAnswer:
        address = yarl.URL(url, encoded=True)
        proxy = self._proxies.get(address.scheme)
        if proxy is not None and proxy_bypass(address.host or ""):
            proxy = None
        async with self._session.get(address, proxy=proxy, allow_redirects=False) as answer:
            body = await _body(answer)
        assert flight.sent is not None
        return HttpAnswer(
            status=answer.status,
            headers={name.lower(): value for name, value in answer.headers.items()},
            body=body,
            sent=flight.sent,
            received=self._clock.monotonic(),
        )


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    """A body; of a refusal, of which it only gives the words, no more than its beginning."""
    body = bytearray()
    async for part in answer.content.iter_any():
        body += part
        if len(body) > _MOST_BYTES:
            if answer.ok:
                raise Transient("not_understood", f"an answer of more than {_MOST_BYTES} bytes")
            break
    return bytes(body)


@asynccontextmanager
async def open_wire(
    clock: Clock, *, connections: int, answer_seconds: float
) -> AsyncGenerator[Wire]:
    """A pool of at most `connections`; an answer may take `answer_seconds` in all."""
    times = aiohttp.ClientTimeout(total=answer_seconds, sock_connect=_CONNECT_SECONDS)
    async with aiohttp.ClientSession(
        connector=_GatedConnector(clock, connections),
        timeout=times,
        headers={"User-Agent": _USER_AGENT},
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        yield Wire(session, clock, answer_seconds)
    await asyncio.sleep(0)  # lets the transports close
