"""`up` to `down` with the real services: what `candlelog up` promises."""

import socket
import tempfile
import time
import urllib.request
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import pytest

from candlelog.errors import Misconfigured
from candlelog_embedded.detached import DetachedFailedError, up_detached
from candlelog_embedded.supervisor.directory import DataDirectory
from candlelog_embedded.supervisor.state import ProcessReport, State
from candlelog_embedded.system import AlreadyRunningError, down, ps, up
from candlelog_embedded.topology import Options

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def options() -> Generator[Options]:
    with tempfile.TemporaryDirectory(prefix="candlelog-system-") as folder:
        yield Options(Path(folder), sandbox=True, replicas={"fetcher": 2})
        down(Path(folder))


def when_ready(data_dir: Path) -> tuple[ProcessReport, ...]:
    """What runs, once all of it is ready: on a busy machine a service may have given up a store
    that did not answer in time, and been started again."""
    processes = ps(data_dir)
    while {one.state for one in processes} != {State.READY}:
        time.sleep(0.1)
        processes = ps(data_dir)
    return processes


def test_a_system_starts_refuses_a_second_and_stops_without_a_trace(
    options: Options, gone: Callable[[int], bool]
):
    file = up_detached(options)
    environment = dict(line.split("=", 1) for line in file.read_text().splitlines())
    processes = when_ready(options.data_dir)
    assert [(one.service, one.replica) for one in processes] == [
        ("broker", 0),
        ("postgres", 0),
        ("clickhouse", 0),
        ("sandbox", 0),
        ("coordinator", 0),
        ("fetcher", 0),
        ("fetcher", 1),
        ("clickhouse-sink", 0),
        ("featurizer", 0),
        ("gap-auditor", 0),
        ("status-api", 0),
    ]
    logs = DataDirectory(options.data_dir).logs
    assert [log.name for log in logs.iterdir() if "service_crashed" in log.read_text()] == []
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"{environment['CANDLELOG_API_URL']}/readyz") as answer:
        assert answer.status == 200

    with pytest.raises(AlreadyRunningError):
        up(options, ready=lambda _: pytest.fail("two systems"), note=print)

    working = [one.pid for one in processes if one.pid is not None]
    assert len(working) == len(processes)
    assert down(options.data_dir) is True
    assert all(gone(pid) for pid in working)
    assert not file.exists()
    with pytest.raises(Misconfigured, match="start it with --sandbox"):
        up(Options(options.data_dir), ready=lambda _: pytest.fail("mixed"), note=print)


@pytest.fixture
def taken_port() -> Generator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


def test_a_start_that_fails_says_why(options: Options, taken_port: int):
    with pytest.raises(DetachedFailedError, match=f"port {taken_port} is in use: give another"):
        up_detached(replace(options, api_port=taken_port))


def test_a_start_that_fails_binds_the_directory_to_no_kind_of_venue(
    options: Options, taken_port: int
):
    with pytest.raises(Misconfigured):
        up(replace(options, api_port=taken_port), ready=lambda _: pytest.fail("up"), note=print)
    assert not DataDirectory(options.data_dir).identity_file.exists()
