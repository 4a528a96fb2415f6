"""Jobs that an older coordinator has begun go on under the tables of this one."""

import shutil
from uuid import UUID

import pytest

from candlelog.events.fetch import FetchRequestedV1
from candlelog.events.progress import JobStateChangedV1
from candlelog.stores.migrations import migrate_postgres, migrations_directory
from candlelog.stores.postgres import connect

pytestmark = pytest.mark.connected

JOB, TASK, CHUNK = UUID(int=1), UUID(int=2), UUID(int=3)
HALF_DONE = f"""
INSERT INTO jobs (job_id, exchange, priority, max_attempts, status, version, generation,
                  tasks_total, chunks_unreleased, submitted_at)
VALUES ('{JOB}', 'binance', 5, 3, 'running', 2, 0, 1, 1, '2024-03-01');
INSERT INTO tasks (job_id, task_id, position, symbol, timeframe, status, version, page_size,
                   cursor, chunks_total, chunks_stored, slots_asked, slots_explained)
VALUES ('{JOB}', '{TASK}', 0, 'BTC/USDT', '1m', 'running', 1, 1000, 2, 3, 1, 2500, 1000);
INSERT INTO ranges (task_id, end_chunk, first_chunk, start_time, end_time)
VALUES ('{TASK}', 3, 0, '2024-01-01', '2024-01-02 17:40');
INSERT INTO chunks (task_id, chunk_id, job_id, exchange, state, generation, release, attempt,
                    lapses, due_at, start_time, end_time, slots)
VALUES ('{TASK}', '{CHUNK}', '{JOB}', 'binance', 'released', 0, 1, 1, 0, '2024-03-01',
        '2024-01-01 16:40', '2024-01-02 09:20', 1000);
"""


async def test_a_job_begun_before_features_were_known_is_finished(
    postgres_dsn, desk, tmp_path, fresh_name
):
    first = tmp_path / "migrations"
    first.mkdir()
    files = sorted(migrations_directory("coordinator").iterdir())
    shutil.copy(files[0], first)
    async with connect(postgres_dsn, schema=fresh_name) as pool:
        await migrate_postgres(pool, fresh_name, first)
        await pool.execute(HALF_DONE)
        await migrate_postgres(pool, fresh_name, migrations_directory("coordinator"))
        desk.pool = pool
        desk.start()
        await desk.resume()
        desk.clock.advance(60)
        await desk.finish()
    requests = sorted(desk.said(FetchRequestedV1), key=lambda request: request.start)
    assert [(r.chunk_id == CHUNK, r.release, r.slots) for r in requests] == [
        (True, 2, 1000), (False, 1, 500),
    ]  # fmt: skip
    assert [event.state for event in desk.said(JobStateChangedV1)] == ["completed"]
