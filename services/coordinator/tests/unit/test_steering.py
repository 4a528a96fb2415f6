"""What a command changes: every pair of a state and an action, for jobs and for tasks."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from candlelog.events.jobs import (
    CancelJobV1,
    DeleteJobV1,
    PauseJobV1,
    ResumeJobV1,
    RetryJobV1,
    SteerJob,
)
from candlelog.market.states import TERMINAL, Action, Refusal, Status, transition
from coordinator.domain.jobs import Job
from coordinator.domain.outcomes import TaskCounts
from coordinator.domain.steering import Decision, Task, decide

JOB, COMMAND = UUID(int=1), UUID(int=9)
COMMANDS: dict[Action, type[SteerJob]] = {
    Action.CANCEL: CancelJobV1,
    Action.PAUSE: PauseJobV1,
    Action.RESUME: ResumeJobV1,
    Action.RETRY: RetryJobV1,
}
THERE = [status for status in Status if status is not Status.DELETED]
A, B, C = UUID(int=11), UUID(int=12), UUID(int=13)


def job(status: Status, steered_by: UUID | None = None) -> Job:
    return Job(JOB, "binance", status, 2, 0, 3, steered_by)


def task(task_id: UUID, status: Status, symbol: str = "A/B", *, failed: int = 1) -> Task:
    counts = TaskCounts(3, 3 - failed, failed, 30, 20, 0)
    return Task(task_id, symbol, status, planned=True, counts=counts)


def command(
    action: Action, *, symbols: tuple[str, ...] = (), tasks: tuple[UUID, ...] = ()
) -> SteerJob:
    return (COMMANDS | {Action.DELETE: DeleteJobV1})[action](
        job_id=JOB, correlation_id=COMMAND, symbols=symbols, tasks=tasks,
        requested_by="t", requested_at=datetime(2024, 3, 1, tzinfo=UTC),
    )  # fmt: skip


def of_all(action: Action, status: Status, *tasks: Task) -> Decision:
    return decide(job(status), tasks, command(action))


@pytest.mark.parametrize("action", COMMANDS)
@pytest.mark.parametrize("status", THERE)
def test_a_job_changes_as_its_state_allows(action: Action, status: Status):
    decision = of_all(action, status, task(A, status))
    after = transition(status, action)
    if isinstance(after, Refusal):
        assert (decision.code, decision.job) == ("invalid_transition", None)
        assert status in decision.reason
    else:
        assert (decision.code, decision.job, decision.tasks) == ("accepted", after, {A: after})


@pytest.mark.parametrize("action", COMMANDS)
@pytest.mark.parametrize("status", Status)
def test_a_task_that_is_named_changes_as_its_state_allows(action: Action, status: Status):
    decision = decide(job(Status.RUNNING), [task(A, status)], command(action, tasks=(A,)))
    after = transition(status, action)
    if isinstance(after, Refusal):
        assert (decision.code, dict(decision.tasks)) == ("invalid_transition", {})
        assert status in decision.reason
    else:
        assert (decision.code, decision.job, decision.tasks) == ("accepted", None, {A: after})


@pytest.mark.parametrize("status", THERE)
def test_a_job_is_deleted_as_its_state_allows(status: Status):
    decision, after = of_all(Action.DELETE, status), transition(status, Action.DELETE)
    refused = isinstance(after, Refusal)
    assert decision.code == ("invalid_transition" if refused else "accepted")
    assert decision.job == (None if refused else Status.DELETED)


@pytest.mark.parametrize("action", [*COMMANDS, Action.DELETE])
def test_a_job_that_was_deleted_is_known_no_more(action: Action):
    assert of_all(action, Status.DELETED).code == "unknown_job"


def test_a_job_nobody_knows_is_refused():
    assert decide(None, [], command(Action.PAUSE)).code == "unknown_job"


def test_a_command_that_comes_again_is_accepted_and_changes_nothing():
    decision = decide(job(Status.CANCELLED, COMMAND), [], command(Action.CANCEL))
    assert decision == Decision("accepted", "it is cancelled")


def test_tasks_that_are_over_stay_as_they_are():
    tasks = task(A, Status.COMPLETED), task(B, Status.RUNNING)
    assert of_all(Action.PAUSE, Status.RUNNING, *tasks).tasks == {B: Status.PAUSED}


def test_of_a_symbol_those_tasks_change_that_can():
    tasks = task(A, Status.COMPLETED), task(B, Status.RUNNING), task(C, Status.RUNNING, "C/D")
    decision = decide(job(Status.RUNNING), tasks, command(Action.CANCEL, symbols=("A/B",)))
    assert decision.tasks == {B: Status.CANCELLED}


def test_one_thing_named_that_cannot_refuses_all():
    tasks = task(A, Status.COMPLETED), task(B, Status.RUNNING, "C/D")
    wanted = command(Action.CANCEL, symbols=("C/D", "A/B"))
    decision = decide(job(Status.RUNNING), tasks, wanted)
    assert (decision.code, dict(decision.tasks)) == ("invalid_transition", {})
    assert decision.reason.startswith("symbol A/B: cannot cancel what is completed")


@pytest.mark.parametrize("named", [{"symbols": ("X/Y",)}, {"tasks": (C,)}])
def test_what_the_job_does_not_have_is_said(named: dict[str, tuple[object, ...]]):
    wanted = command(Action.PAUSE).model_copy(update=named)
    decision = decide(job(Status.RUNNING), [task(A, Status.RUNNING)], wanted)
    assert decision.code == "unknown_task"


def test_tasks_that_are_paused_in_a_running_job_go_on_with_the_job():
    tasks = task(A, Status.PAUSED), task(B, Status.RUNNING)
    decision = of_all(Action.RESUME, Status.RUNNING, *tasks)
    assert (decision.job, decision.tasks) == (None, {A: Status.QUEUED})


def test_tasks_that_failed_in_a_running_job_are_retried_with_the_job():
    tasks = task(A, Status.FAILED), task(B, Status.RUNNING)
    decision = of_all(Action.RETRY, Status.RUNNING, *tasks)
    assert (decision.job, decision.tasks) == (None, {A: Status.QUEUED})


def test_a_paused_job_goes_on_with_the_tasks_that_are_named():
    tasks = task(A, Status.PAUSED), task(B, Status.PAUSED)
    decision = decide(job(Status.PAUSED), tasks, command(Action.RESUME, tasks=(B,)))
    assert (decision.job, decision.tasks) == (Status.QUEUED, {B: Status.QUEUED})


def test_of_a_paused_job_nothing_is_retried():
    tasks = [task(A, Status.FAILED)]
    assert decide(job(Status.PAUSED), tasks, command(Action.RETRY)).code == "invalid_transition"
    named = command(Action.RETRY, tasks=(A,))
    assert "resume it first" in decide(job(Status.PAUSED), tasks, named).reason


@pytest.mark.parametrize("status", sorted(TERMINAL - {Status.COMPLETED, Status.DELETED}))
def test_a_task_of_a_job_that_is_over_takes_the_job_with_it(status: Status):
    tasks = task(A, Status.FAILED), task(B, Status.COMPLETED)
    decision = decide(job(status), tasks, command(Action.RETRY, tasks=(A,)))
    assert (decision.job, decision.tasks) == (Status.QUEUED, {A: Status.QUEUED})


def test_what_was_answered_is_not_retried_and_the_reason_tells_of_gaps():
    answered = task(A, Status.COMPLETED_WITH_ERRORS, failed=0)
    decision = of_all(Action.RETRY, Status.COMPLETED_WITH_ERRORS, answered)
    assert decision.code == "nothing_to_do"
    assert "/gaps/fill" in decision.reason


@pytest.mark.parametrize("status", [Status.FAILED, Status.COMPLETED_WITH_ERRORS])
def test_a_task_of_which_everything_came_after_its_end_can_be_retried(status: Status):
    whole = replace(task(A, status), counts=TaskCounts(3, 3, 0, 30, 30, 0))
    assert of_all(Action.RETRY, status, whole).tasks == {A: Status.QUEUED}


def test_what_was_cancelled_goes_on_though_nothing_failed():
    cancelled = task(A, Status.CANCELLED, failed=0)
    assert of_all(Action.RETRY, Status.CANCELLED, cancelled).tasks == {A: Status.QUEUED}


def test_a_task_whose_plan_was_not_kept_cannot_be_retried():
    lost = replace(task(A, Status.CANCELLED), planned=False)
    decision = of_all(Action.RETRY, Status.CANCELLED, lost)
    assert (decision.code, "submit it again" in decision.reason) == ("nothing_to_do", True)


def test_a_job_that_was_refused_as_a_whole_cannot_be_retried():
    decision = of_all(Action.RETRY, Status.FAILED)
    assert (decision.code, "refused as a whole" in decision.reason) == ("nothing_to_do", True)
