"""The handle calls that are running now."""

import asyncio
from collections.abc import Coroutine


class InHand:
    """At most `slots` tasks; their failures wait here until `reap` is called."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def free(self) -> int:
        """How many more may be started."""
        return self._slots - len(self._tasks)

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Run `work` beside what runs already."""
        self._tasks.add(asyncio.create_task(work))

    def reap(self) -> None:
        """Let finished tasks go; raises the failure of one that failed."""
        finished = {task for task in self._tasks if task.done()}
        self._tasks -= finished
        for task in finished:
            if not task.cancelled():
                task.result()

    async def settle(self, seconds: float) -> None:
        """Wait until one task has finished, at most `seconds`."""
        await asyncio.wait(self._tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    async def drain(self, grace: float) -> None:
        """Wait `grace` seconds for all tasks, then cancel those that still run.

        Returns after at most twice the grace, even when a task does not heed the cancellation.
        """
        if not self._tasks:
            return
        _, running = await asyncio.wait(self._tasks, timeout=grace)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=grace)
