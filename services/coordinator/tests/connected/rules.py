"""What becomes of jobs by the rules that users are told, kept apart from all that decides it.

Nothing of the coordinator is imported here: its rules are to be compared with these.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from candlelog.events.fetch import FetchRequestedV1
from candlelog.events.jobs import SteerJob, SubmitJobV1

CHUNKS = 3
"""Of each task: 2,500 slots, a thousand at a time."""
OVER = {"completed", "completed_with_errors", "failed", "cancelled"}
RULES = {
    "cancel": ({"pending", "queued", "running", "paused"}, "cancelled"),
    "pause": ({"pending", "queued", "running"}, "paused"),
    "resume": ({"paused"}, "queued"),
    "retry": ({"failed", "cancelled", "completed_with_errors"}, "queued"),
    "delete": (OVER, "deleted"),
}
"""Of what an action is possible, and what it leads to."""
STOPPED = {"paused": "paused", "cancelled": "cancelled", "deleted": "cancelled"}


@dataclass
class Chunk:
    """`asked`: generation and release of the newest request. `again`: it waits for another one."""

    asked: tuple[int, int]
    state: str = "open"
    slots: int = 0
    again: bool = False


@dataclass
class Task:
    """One symbol of a job, and those of its chunks that were asked for."""

    state: str = "queued"
    chunks: dict[UUID, Chunk] = field(default_factory=dict)

    def count(self, state: str) -> int:
        return sum(chunk.state == state for chunk in self.chunks.values())

    @property
    def slots(self) -> int:
        return sum(chunk.slots for chunk in self.chunks.values())

    @property
    def end(self) -> str | None:
        """How it ends by what its chunks have come to; None while one is open."""
        stored, failed = self.count("stored"), self.count("failed")
        if stored + failed < CHUNKS:
            return None
        if not stored:
            return "failed"
        return "completed" if self.slots == 2500 else "completed_with_errors"

    def allows(self, action: str) -> bool:
        if self.state not in RULES[action][0]:
            return False
        answered = self.state == self.end == "completed_with_errors" and not self.count("failed")
        return action != "retry" or not answered

    def move(self, state: str, generation: int) -> None:
        """Stop: what was asked for is waited for. Or go on: it is asked for anew."""
        self.state = state
        for chunk in self.chunks.values():
            chunk.again = state == "queued"
            if chunk.again and chunk.state != "stored":
                chunk.state, chunk.asked = "open", (generation, chunk.asked[1])


@dataclass
class Job:
    """A job, without tasks until it is planned; `control` is what workers were told last."""

    symbols: tuple[str, ...]
    state: str = "pending"
    generation: int = 0
    steered_by: UUID | None = None
    control: str | None = None
    tasks: dict[str, Task] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether nothing can be made of it any more."""
        answered = self.state == "completed_with_errors" and not self.able("retry")
        return answered or self.state in ("completed", "deleted")

    def able(self, action: str) -> list[Task]:
        return [task for task in self.tasks.values() if task.allows(action)]

    def plan(self) -> None:
        if not self.tasks and self.state in ("pending", "queued"):
            self.state, self.control = "queued", "running"
            self.tasks = {symbol: Task() for symbol in self.symbols}

    def judge(self, command: SteerJob, named: list[Task | None]) -> tuple[str, list[Task], bool]:
        """The answer's code, the tasks that change, and whether the job does."""
        action, refused = command.action, ("invalid_transition", [], False)
        possible = self.state in RULES[action][0]
        if action == "delete":
            return ("accepted", [], True) if possible and not named else refused
        if named:
            return self._judge_some(action, named)
        able = self.able(action)
        if action == "retry" and possible and self.tasks and not able:
            return "nothing_to_do", [], False
        if possible or (able and self.state in ("queued", "running")):
            return "accepted", able, possible
        return refused

    def _judge_some(
        self, action: str, named: Iterable[Task | None]
    ) -> tuple[str, list[Task], bool]:
        chosen: list[Task] = []
        for task in named:
            if not self.tasks or (task is not None and not task.allows(action)):
                return "invalid_transition", [], False
            if task is None:
                return "unknown_task", [], False
            chosen.append(task)
        if action == "retry" and self.state == "paused":
            return "invalid_transition", [], False
        goes_on = (action, self.state) == ("resume", "paused") or (
            action == "retry" and self.state in OVER
        )
        return "accepted", chosen, goes_on

    def finish(self) -> None:
        """Tasks end once all of them is answered, and so does the job."""
        for task in self.tasks.values():
            if task.state not in OVER and task.end is not None:
                task.state = task.end
        ends = {task.state for task in self.tasks.values()}
        if not ends or self.state in OVER or not ends <= OVER:
            return
        mixed = "failed" if ends == {"failed", "cancelled"} else "completed_with_errors"
        self.state = ends.pop() if len(ends) == 1 else mixed


class Jobs:
    """All jobs of a history."""

    def __init__(self) -> None:
        self.all: dict[UUID, Job] = {}

    def submit(self, job: SubmitJobV1) -> None:
        self.all[job.job_id] = Job(job.symbols)

    def command(self, command: SteerJob, symbols: Mapping[UUID, str]) -> tuple[str, bool]:
        """Carry out a command, if that is possible: the code of its answer, and whether anything
        changes. `symbols` tells what the tasks are about."""
        job = self.all[command.job_id]
        if job.state == "deleted":
            return "unknown_job", False
        names = [*command.symbols, *(symbols.get(task) for task in command.tasks)]
        if names:
            job.plan()
        code, tasks, moves = job.judge(command, [job.tasks.get(name or "") for name in names])
        after = RULES[command.action][1]
        if moves:
            job.generation, job.state = job.generation + 1, after
            job.control = STOPPED.get(after, "running")
        if moves or tasks:
            job.steered_by = command.correlation_id
        for task in tasks:
            task.move(after, job.generation)
        if job.state == "deleted":
            job.tasks = {}
        job.finish()
        return code, moves or bool(tasks)

    def asked(self, request: FetchRequestedV1) -> None:
        """A worker may do this: of what goes on, and was not answered for good."""
        job = self.all[request.job_id]
        task = job.tasks[request.symbol]
        assert {job.state, task.state} <= {"queued", "running"}
        asked = (request.generation, request.release)
        chunk = task.chunks.setdefault(request.chunk_id, Chunk(asked))
        assert (chunk.state, request.generation) == ("open", job.generation)
        chunk.asked, chunk.again = asked, False
        if task.state == "queued":
            task.state = job.state = "running"

    def answered(self, request: FetchRequestedV1, way: str) -> None:
        """What is stored is, whoever was asked for it; a failure is one of the newest request."""
        task = self.all[request.job_id].tasks.get(request.symbol)
        if task is None or task.chunks[request.chunk_id].state == "stored":
            return
        chunk = task.chunks[request.chunk_id]
        final = way == "final" or (way == "passing" and request.attempt >= request.max_attempts)
        if way in ("stored", "poor"):
            chunk.state, chunk.slots = "stored", request.slots - (way == "poor")
        elif final and not chunk.again and chunk.asked == (request.generation, request.release):
            chunk.state = "failed"

    def finish(self) -> None:
        for job in self.all.values():
            job.finish()

    def plan(self) -> None:
        for job in self.all.values():
            job.plan()

    def job_rows(self) -> set[tuple[object, ...]]:
        return {
            (job_id, job.state, job.generation, job.steered_by) for job_id, job in self.all.items()
        }

    def task_rows(self) -> set[tuple[object, ...]]:
        return {
            (job_id, symbol, task.state, task.count("stored"), task.count("failed"), task.slots)
            for job_id, job in self.all.items()
            for symbol, task in job.tasks.items()
        }
