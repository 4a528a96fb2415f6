"""Waiting for what auditors say of a job."""

import asyncio

from candlelog_client.client import Candlelog
from candlelog_client.results import Job

SECONDS = 240


async def audited(client: Candlelog, job_id: str) -> Job:
    """The job once it has ended and all its tasks were audited."""
    async with asyncio.timeout(SECONDS):
        assert [state async for state in client.jobs.watch(job_id)][-1].finished
        while True:
            tasks = [task async for task in client.jobs.tasks(job_id)]
            if all(task.data_quality_score is not None for task in tasks):
                return await client.jobs.get(job_id)
            await asyncio.sleep(0.5)
