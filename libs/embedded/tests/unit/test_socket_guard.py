"""Unit tests stay on this machine and in this process."""

import socket

import pytest
from pytest_socket import SocketBlockedError


def test_a_unit_test_cannot_open_a_socket() -> None:
    with pytest.warns(UserWarning, match="tried to use"), pytest.raises(SocketBlockedError):
        socket.socket(socket.AF_INET, socket.SOCK_STREAM)


async def test_the_event_loop_runs_without_one() -> None:
    left, right = socket.socketpair()
    left.close()
    right.close()
