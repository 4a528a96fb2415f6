"""The clock is compared with what a time server says."""

import socket
import struct
import threading
from collections.abc import Generator
from datetime import UTC, datetime, timedelta

import pytest

from candlelog.clock import ManualClock
from candlelog_embedded.network_time import clock_error_seconds

pytestmark = pytest.mark.connected

TRUE_TIME = datetime(2024, 2, 1, 12, tzinfo=UTC)
SINCE_1900 = int((TRUE_TIME - datetime(1900, 1, 1, tzinfo=UTC)).total_seconds())


@pytest.fixture
def server() -> Generator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        yield listener


def answer_once(server: socket.socket, answer: bytes) -> None:
    _, client = server.recvfrom(512)
    server.sendto(answer, client)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (struct.pack(">32xIIII", SINCE_1900, 0, SINCE_1900, 2**31), 7.75),
        (b"too short", None),
    ],
)
def test_the_error_is_measured_against_the_middle_of_the_exchange(
    server: socket.socket, answer: bytes, error: float | None
):
    answering = threading.Thread(target=answer_once, args=(server, answer))
    answering.start()
    clock = ManualClock(TRUE_TIME + timedelta(seconds=8))
    assert clock_error_seconds(clock, server.getsockname()) == error
    answering.join()
