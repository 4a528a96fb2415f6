"""The command line and the system against an exchange that is not the sandbox."""

import asyncio
import csv
import importlib.util
import io
import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

STANDIN = Path(__file__).with_name("standin.py")
CANDLELOG = Path(sys.executable).with_name("candlelog")
START_MS, DAY_MINUTES = 1_706_745_600_000, 1440
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


async def candlelog(data_dir: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one command."""
    process = await asyncio.create_subprocess_exec(
        CANDLELOG, *arguments, "--data-dir", str(data_dir),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", **environment},
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_any_server_shaped_like_binance_is_loaded_and_read_from_the_command_line(
    launch, data_dir, standin_url
):
    series = ("--symbol", "ABC/USDT", "--timeframe", "1m")
    async with launch(data_dir, "--exchange-url", f"binance={standin_url}"):
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

        _, out, _ = await candlelog(data_dir, "ps", "--json")
        states = {one["service"]: one["state"] for one in json.loads(out)}
        assert {"broker", "postgres", "clickhouse", "fetcher"} < states.keys()
        assert set(states.values()) == {"ready"}
        assert "sandbox" not in states

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

    code, _, err = await candlelog(data_dir, "jobs", "list")
    assert (code, err.count("\n")) == (6, 1)


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
