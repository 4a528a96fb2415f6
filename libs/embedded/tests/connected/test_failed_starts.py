"""Starts of a system that cannot be."""

import socket
import tempfile
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from candlelog.errors import Misconfigured
from candlelog_embedded.detached import DetachedFailedError, up_detached
from candlelog_embedded.process import free_ports
from candlelog_embedded.supervisor.directory import DataDirectory
from candlelog_embedded.system import down, up
from candlelog_embedded.topology import Options

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def options() -> Generator[Options]:
    with tempfile.TemporaryDirectory(prefix="candlelog-system-") as folder:
        yield Options(Path(folder), sandbox=True)
        down(Path(folder))


@pytest.fixture
def taken_port() -> Generator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


def test_a_start_that_fails_says_why(options: Options, taken_port: int):
    with pytest.raises(DetachedFailedError, match=f"port {taken_port} is in use: give another"):
        up_detached(replace(options, api_port=taken_port))


def test_a_port_that_another_system_has_not_opened_yet_is_in_use(options: Options):
    [port] = free_ports(1, Random())
    with pytest.raises(DetachedFailedError, match=f"port {port} is in use: give another"):
        up_detached(replace(options, api_port=port))


def test_a_start_that_fails_binds_the_directory_to_no_kind_of_venue(
    options: Options, taken_port: int
):
    with pytest.raises(Misconfigured):
        up(replace(options, api_port=taken_port), ready=lambda _: pytest.fail("up"), note=print)
    assert not DataDirectory(options.data_dir).identity_file.exists()
