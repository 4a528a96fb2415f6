"""The sandbox on a socket."""

import asyncio
import socket
import struct
from typing import Final

from aiohttp import web

from candlelog_embedded.sandbox.answers import Answer, Delivery
from candlelog_embedded.sandbox.control import PREFIX, Control
from candlelog_embedded.sandbox.trees import BASE, Trees
from candlelog_embedded.sandbox.venue import Venue

READY: Final = "/readyz"

_PATIENCE_SECONDS: Final = 1.0  # with answers that are still stalling when the sandbox stops
_RESET_AT_CLOSE: Final = struct.pack("ii", 1, 0)


class Server:
    """HTTP in front of a venue and its switches."""

    def __init__(self, venue: Venue, control: Control) -> None:
        self._venue = venue
        self._control = control
        self._trees = Trees(venue.markets)
        self._runner = web.ServerRunner(
            web.Server(self._handle), access_log=None, shutdown_timeout=_PATIENCE_SECONDS
        )

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which is a free one where 0 was asked."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close every connection."""
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if path == READY:
            return web.Response(text="ready\n")
        if path.startswith(PREFIX):
            body = await request.read()
            answer = self._control.answer(request.method, path, request.query, body)
        elif path.startswith(BASE):
            now = self._venue.clock.milliseconds()
            answer = await asyncio.to_thread(self._trees.answer, request.method, path, now)
        else:
            answer = await self._venue.ask(path, request.query)
        if answer.wait_seconds:
            await asyncio.sleep(answer.wait_seconds)
        return await _deliver(request, answer)


async def _deliver(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    if answer.delivery is Delivery.WHOLE:
        return web.Response(
            body=answer.body,
            status=answer.status,
            headers=answer.headers,
            content_type=answer.content_type,
        )
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_type = answer.content_type
    if answer.delivery is Delivery.CUT:
        response.content_length = len(answer.body)
        await response.prepare(request)
        await response.write(answer.body[: len(answer.body) // 2])
    _hang_up(request, reset=answer.delivery is Delivery.RESET)
    return response


def _hang_up(request: web.BaseRequest, *, reset: bool) -> None:
    transport = request.transport
    if transport is None:
        return
    if not reset:
        transport.close()
        return
    # With a linger time of zero the kernel sends RST, not FIN.
    transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE
    )
    transport.abort()
