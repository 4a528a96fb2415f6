"""Requests to the REST API: one place for the token, the retries and the errors."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
import orjson
from tenacity import (
    AsyncRetrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from candlelog.errors import Invalid
from candlelog_client.connection import Connection
from candlelog_client.errors import ServerProblem, Unreachable
from candlelog_client.problems import error_of

_T = TypeVar("_T")
_RETRIED_STATUSES = frozenset({502, 503, 504})

Parameters = Mapping[str, str | int | float | bool | None]


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a safe request is sent in all, and the bounds of the jittered waits (seconds)."""

    attempts: int = 4
    first: float = 0.2
    longest: float = 3.0


class Http:
    """JSON and streams under `/api/v1`; an async context manager that owns its connections."""

    def __init__(
        self,
        connection: Connection,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        retry: Retry | None = None,
        timeout: float = 40.0,  # a switch of candles is answered within 30 s
    ) -> None:
        self.connection = connection
        self._retry = retry or Retry()
        headers = {"Accept": "application/json"}
        if connection.token:
            headers["Authorization"] = f"Bearer {connection.token}"
        self._client = httpx.AsyncClient(
            base_url=f"{connection.url}/api/v1",
            headers=headers,
            timeout=httpx.Timeout(timeout, connect=5.0),
            transport=transport,
            trust_env=not connection.is_local,
        )

    async def __aenter__(self) -> Self:
        """Open the connection pool."""
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *failure: object) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def get(self, path: str, parameters: Parameters | None = None) -> Any:
        """The parsed answer of a GET, asked again after a passing fault."""
        request = self._client.build_request("GET", path, params=_given(parameters))
        return await self._retried(self._answer, request)

    async def post(
        self, path: str, body: Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> Any:
        """The parsed answer of a POST; with an idempotency key it is safe to send again."""
        headers = {"Content-Type": "application/json"}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        try:
            content = orjson.dumps(body)
        except orjson.JSONEncodeError as error:
            raise Invalid(f"the request cannot be written as JSON: {error}") from error
        request = self._client.build_request("POST", path, content=content, headers=headers)
        if idempotency_key is None:
            return await self._answer(request)
        return await self._retried(self._answer, request)

    async def delete(self, path: str) -> Any:
        """The parsed answer of a DELETE, which is sent once."""
        return await self._answer(self._client.build_request("DELETE", path))

    @asynccontextmanager
    async def stream(
        self, path: str, parameters: Parameters | None = None, *, accept: str
    ) -> AsyncGenerator[AsyncIterator[bytes]]:
        """The body of a GET as it arrives; a stream that broke off raises `Unreachable`."""
        request = self._client.build_request(
            "GET", path, params=_given(parameters), headers={"Accept": accept}
        )
        response = await self._retried(self._opened, request)
        try:
            yield self._body(response)
        finally:
            await response.aclose()

    async def _retried(
        self, send: Callable[[httpx.Request], Awaitable[_T]], request: httpx.Request
    ) -> _T:
        retrying = AsyncRetrying(
            retry=retry_if_exception(_passing),
            stop=stop_after_attempt(self._retry.attempts),
            wait=wait_random_exponential(self._retry.first, self._retry.longest),
            reraise=True,
        )
        return await retrying(send, request)

    async def _answer(self, request: httpx.Request) -> Any:
        response = await self._sent(request, stream=False)
        if response.status_code >= 400:
            raise error_of(response.status_code, response.content)
        try:
            return orjson.loads(response.content)
        except orjson.JSONDecodeError:
            raise error_of(response.status_code, b"") from None

    async def _opened(self, request: httpx.Request) -> httpx.Response:
        response = await self._sent(request, stream=True)
        if response.status_code < 400:
            return response
        try:
            body = await response.aread()
        finally:
            await response.aclose()
        raise error_of(response.status_code, body)

    async def _sent(self, request: httpx.Request, *, stream: bool) -> httpx.Response:
        try:
            return await self._client.send(request, stream=stream)
        except httpx.TimeoutException as error:
            raise Unreachable(f"{self.connection.url} did not answer in time") from error
        except httpx.TransportError as error:
            raise Unreachable(f"{self.connection.url} cannot be reached: {error}") from error

    async def _body(self, response: httpx.Response) -> AsyncIterator[bytes]:
        try:
            async for block in response.aiter_bytes():
                yield block
        except httpx.TransportError as error:
            raise Unreachable(
                f"{self.connection.url} broke off in the middle of its answer"
            ) from error


def path_part(value: str) -> str:
    """A value of the user's, safe to stand between two slashes of a path; else `Invalid`. A server
    takes an encoded slash for one of the path."""
    if value in ("", ".", "..") or "/" in value:
        raise Invalid(f"{value!r} is no id")
    return quote(value, safe="")


def _given(parameters: Parameters | None) -> dict[str, str | int | float | bool]:
    return {name: value for name, value in (parameters or {}).items() if value is not None}


def _passing(error: BaseException) -> bool:
    if isinstance(error, Unreachable):
        return True
    return isinstance(error, ServerProblem) and error.status in _RETRIED_STATUSES
