"""How quickly the API answers and a stored batch shows, while a job runs at half speed."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx

from bench.report import Report, quantile
from bench.system import System
from candlelog.events.progress import BatchStoredV1
from candlelog.events.topics import PROGRESS
from candlelog.log.kafka import KafkaLog
from candlelog.log.receive import receive
from candlelog_client import Candlelog

SECONDS = 25
REQUESTS_A_SECOND = 20
FETCHER_CONCURRENCY = 32
ASSUMED_SPEED = 50_000.0
"""Candles a second, where the end-to-end section was not run before."""
START = datetime(2020, 1, 1, tzinfo=UTC)


async def measure(system: System, full_speed: float) -> list[Report]:
    """`full_speed` in candles a second is what the end-to-end run reached."""
    pages_a_second = full_speed / 2 / 1000
    await system.sandbox(
        "/_sandbox/latency", milliseconds=1000 * FETCHER_CONCURRENCY / pages_a_second
    )
    try:
        return await _while_a_job_runs(system)
    finally:
        await system.sandbox("/_sandbox/latency", milliseconds=0)


async def _while_a_job_runs(system: System) -> list[Report]:
    async with Candlelog() as candlelog:
        job = await candlelog.jobs.submit(
            exchange="binance", symbols=[f"GEN{number:03d}/USDT" for number in range(11, 31)],
            timeframes=["1m"], start=START, end=START + timedelta(days=730), label="bench: load",
            features=False,
        )  # fmt: skip
        await asyncio.sleep(3)
        before = (await candlelog.jobs.get(job.id)).candles_stored
        began = time.monotonic()
        posts, gets, deltas = await asyncio.gather(
            _posts(system), _gets(system, job.id), _deltas(system, candlelog, job.id)
        )
        speed = ((await candlelog.jobs.get(job.id)).candles_stored - before) / (
            time.monotonic() - began
        )
        await candlelog.jobs.cancel(job.id)
    return [
        Report(
            "Latency while a job runs at half the measured speed",
            {
                "job, candles/s": round(speed),
                "POST /jobs, p50 ms": 1000 * quantile(posts, 0.5),
                "POST /jobs, p99 ms (against 100)": 1000 * quantile(posts, 0.99),
                "GET /jobs/{id}, p50 ms": 1000 * quantile(gets, 0.5),
                "GET /jobs/{id}, p99 ms (against 50)": 1000 * quantile(gets, 0.99),
                "stored batch to WebSocket delta, p50 ms": 1000 * quantile(deltas, 0.5),
                "stored batch to WebSocket delta, p95 ms (against 300)": 1000
                * quantile(deltas, 0.95),
                "POST, GET, deltas measured": f"{len(posts)}, {len(gets)}, {len(deltas)}",
            },
        )
    ]


async def _timed(
    client: httpx.AsyncClient, method: str, path: str, status: int, **more: object
) -> float:
    began = time.monotonic()
    response = await client.request(method, path, **more)  # pyright: ignore[reportArgumentType] -- json alone
    seconds = time.monotonic() - began
    if response.status_code != status:
        raise RuntimeError(f"{method} {path}: {response.status_code} {response.text}")
    return seconds


def _client(system: System) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=system.environment["CANDLELOG_API_URL"] + "/api/v1",
        headers={"Authorization": f"Bearer {system.environment['CANDLELOG_API_TOKEN']}"},
        trust_env=False,
    )


async def _posts(system: System) -> list[float]:
    body = {
        "exchange": "binance", "symbols": ["GEN001/USDT"], "timeframes": ["1h"],
        "start": "2024-01-01T00:00:00Z", "end": "2024-01-02T00:00:00Z",
    }  # fmt: skip
    async with _client(system) as client:
        found: list[float] = []
        for _ in range(SECONDS * REQUESTS_A_SECOND // 5):
            found.append(await _timed(client, "POST", "/jobs", 202, json=body))
            await asyncio.sleep(5 / REQUESTS_A_SECOND)
        return found


async def _gets(system: System, job_id: str) -> list[float]:
    async with _client(system) as client:
        found: list[float] = []
        for _ in range(SECONDS * REQUESTS_A_SECOND):
            found.append(await _timed(client, "GET", f"/jobs/{job_id}", 200))
            await asyncio.sleep(1 / REQUESTS_A_SECOND)
        return found


async def _deltas(system: System, candlelog: Candlelog, job_id: str) -> list[float]:
    """From `stored_at` of the k-th batch to the first delta that counts its candles."""
    shown: list[tuple[int, float]] = []
    stored: list[tuple[float, int]] = []
    try:
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(
                _watch(candlelog, job_id, shown), _read_stored(system, UUID(job_id), stored)
            )
    except TimeoutError:
        pass
    return _delays(sorted(stored), shown)


async def _watch(candlelog: Candlelog, job_id: str, shown: list[tuple[int, float]]) -> None:
    async for state in candlelog.jobs.watch(job_id):
        shown.append((state.candles_stored, time.time()))  # noqa: PERF401 -- read when cut short


async def _read_stored(system: System, job_id: UUID, stored: list[tuple[float, int]]) -> None:
    log = KafkaLog(system.environment["CANDLELOG_KAFKA_BOOTSTRAP"])
    async with log.tail([PROGRESS.full_name()], start="beginning") as tail:
        while True:
            for record in await tail.poll(max_records=1000, timeout=0.5):
                event = receive(record).event
                if isinstance(event, BatchStoredV1) and event.job_id == job_id:
                    stored.append((event.stored_at.timestamp(), event.candles))


def _delays(stored: Sequence[tuple[float, int]], shown: Sequence[tuple[int, float]]) -> list[float]:
    delays: list[float] = []
    counted, position = 0, 0
    for stored_at, candles in stored:
        counted += candles
        while position < len(shown) and shown[position][0] < counted:
            position += 1
        if position == len(shown):
            break
        if stored_at >= shown[0][1]:
            delays.append(max(0.0, shown[position][1] - stored_at))
    return delays
