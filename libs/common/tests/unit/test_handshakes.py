"""Handshakes that no application sees."""

from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from candlelog.handshakes import Handshakes


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def get_extra_info(self, name: str) -> Any:
        """Nothing is known of this transport."""
        return None

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.written += data

    def close(self) -> None:
        """Note it."""
        self.closed = True


@pytest.mark.parametrize(
    ("query", "header", "status"),
    [("x" * 9_000, "", b"HTTP/1.1 414 "), ("", "x" * 20_000, b"HTTP/1.1 431 ")],
)
async def test_a_handshake_that_is_too_long_is_answered_and_closed(
    query: str, header: str, status: bytes
):
    config = uvicorn.Config(lambda *_: None, ws=Handshakes, log_config=None)  # pyright: ignore[reportArgumentType] -- the application is never called
    config.load()
    wire = Wire()
    protocol = Handshakes(config, ServerState(), {})
    protocol.connection_made(wire)  # pyright: ignore[reportArgumentType] -- as much of a transport as is used
    protocol.data_received(
        f"GET /stream?jobs={query} HTTP/1.1\r\nHost: test\r\nX-Long: {header}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    assert wire.written.startswith(status)
    assert wire.closed
