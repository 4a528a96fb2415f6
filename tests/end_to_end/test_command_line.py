"""The command line and the system against an exchange that is not the sandbox."""

import asyncio
import csv
import importlib.util
import io
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.end_to_end.commands import typed
from tests.processes import gone

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

STANDIN = Path(__file__).with_name("standin.py")
START_MS, DAY_MINUTES = 1_706_745_600_000, 1440
SERVICES = (
    "broker", "postgres", "clickhouse", "coordinator", "fetcher", "clickhouse-sink", "featurizer",
    "gap-auditor", "status-api",
)  # fmt: skip
DAY = ("--start", "2024-02-01", "--end", "2024-02-02")


def formula():
    spec = importlib.util.spec_from_file_location("standin", STANDIN)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.candle


@pytest.fixture
def standin_url() -> Generator[str]:
    command = [sys.executable, str(STANDIN), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().split()[-1]
        process.terminate()


@pytest.fixture
def replicas(request: pytest.FixtureRequest) -> list[str]:
    """What the option `--replicas` says; two fetchers unless given."""
    return request.config.getoption("replicas") or ["fetcher=2"]


async def candlelog(data_dir: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one command. It knows of no system but by the folder."""
    return await typed(*arguments, "--data-dir", str(data_dir), **environment)


@asynccontextmanager
async def started(data_dir: Path, *flags: str) -> AsyncGenerator[list[dict[str, Any]]]:
    """The processes of a system that runs beside the test; it leaves nothing behind."""
    file = data_dir / "candlelog.env"
    try:
        code, out, err = await candlelog(data_dir, "up", "--detach", *flags)
        assert (code, out) == (0, f"Candlelog is ready: {file}\n"), err
        processes = await when_ready(data_dir)
        yield processes
    finally:
        _, out, err = await candlelog(data_dir, "down", "--json")
    assert json.loads(out) == {"stopped": True}, err
    assert not file.exists()
    assert [one for one in processes if not gone(one["pid"])] == []


async def when_ready(data_dir: Path) -> list[dict[str, Any]]:
    """What runs, once all of it is ready: on a busy machine a service may have given up a store
    that did not answer in time, and been started again."""
    while True:
        code, out, err = await candlelog(data_dir, "ps", "--json")
        assert code == 0, err
        processes = json.loads(out)
        if {one["state"] for one in processes} == {"ready"}:
            return processes
        await asyncio.sleep(0.1)


async def test_any_server_shaped_like_binance_is_loaded_and_read_from_the_command_line(
    data_dir, standin_url, replicas
):
    series = ("--symbol", "ABC/USDT", "--timeframe", "1m")
    flags = [word for each in replicas for word in ("--replicas", each)]
    async with started(data_dir, "--exchange-url", f"binance={standin_url}", *flags) as processes:
        found = dict.fromkeys(SERVICES, 0)
        for one in processes:
            assert one["replica"] == found[one["service"]]
            found[one["service"]] += 1
        assert found == dict.fromkeys(SERVICES, 1) | counts(replicas)
        code, _, err = await candlelog(data_dir, "up")
        assert (code, err.count("\n")) == (1, 1)
        assert "already" in err

        code, out, err = await candlelog(
            data_dir, "jobs", "submit", "--symbols", "ABC/USDT", "--timeframes", "1m,1h", *DAY,
            "--wait", "--json",
        )  # fmt: skip
        assert code == 0, err
        job = json.loads(out)
        assert (job["status"], job["candles_stored"]) == ("completed", DAY_MINUTES + 24)

        code, out, err = await candlelog(data_dir, "candles", "export", *series, *DAY)
        assert code == 0, err
        equals_the_formula(list(csv.DictReader(io.StringIO(out))))

        _, out, _ = await candlelog(data_dir, "topics", "list", "--json")
        assert "candlelog.progress" in {topic["name"] for topic in json.loads(out)}

        _, out, _ = await candlelog(data_dir, "jobs", "list", "--json")
        assert [one["id"] for one in json.loads(out)] == [job["id"]]

        code, out, err = await candlelog(
            data_dir, "jobs", "submit", "--symbols", "BTC/USDT", "--timeframes", "1m", *DAY
        )
        assert (code, out) == (1, "")
        assert "BTC/USDT" in err

        code, _, err = await candlelog(data_dir, "jobs", "cancel", job["id"])
        assert code == 1
        assert err.count("\n") == 1

        env = dict(line.split("=", 1) for line in (data_dir / "candlelog.env").read_text().split())
        wrong = {"CANDLELOG_API_URL": env["CANDLELOG_API_URL"], "CANDLELOG_API_TOKEN": "no"}
        code, _, err = await candlelog(data_dir, "series", "list", **wrong)
        assert (code, err.count("\n")) == (7, 1)

    logs = sorted((data_dir / "logs").iterdir())
    assert [log.name for log in logs if "service_crashed" in log.read_text()] == []
    code, _, err = await candlelog(data_dir, "jobs", "list")
    assert (code, err.count("\n")) == (6, 1)
    code, _, err = await candlelog(data_dir, "up", "--sandbox")
    assert code == 1
    assert "start it with --no-sandbox" in err


def counts(replicas: list[str]) -> dict[str, int]:
    pairs = (each.split("=") for each in replicas)
    return {service: int(count) for service, count in pairs}


def equals_the_formula(rows: list[dict[str, str]]) -> None:
    candle = formula()
    expected = [
        [float(value) for value in candle("ABCUSDT", "1m", START_MS + n * 60_000)[1:6]]
        for n in range(DAY_MINUTES)
    ]
    names = ("open", "high", "low", "close", "volume")
    assert [[float(row[name]) for name in names] for row in rows] == expected
    assert (rows[0]["open_time"], rows[-1]["open_time"]) == (
        "2024-02-01T00:00:00Z",
        "2024-02-01T23:59:00Z",
    )
