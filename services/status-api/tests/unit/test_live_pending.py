"""What a slow client has yet to be sent."""

from uuid import UUID

import orjson

from status_api.domain.cursors import decode_positions
from status_api.domain.feed import Change, Pending

JOB, OTHER = UUID(int=1), UUID(int=2)
TASK, SECOND = UUID(int=3), UUID(int=4)


def at(offset: int) -> dict[str, dict[int, int]]:
    return {"jobs.commands": {}, "progress": {0: offset}}


def change(number: int, *tasks: UUID) -> Change:
    return Change({"id": number}, {task: {"id": str(task), "n": number} for task in tasks})


def test_changes_of_a_job_are_merged_into_its_newest_state():
    pending = Pending(at(1), most=10)
    pending.add({JOB: change(1, TASK, SECOND)}, at(2))
    pending.add({JOB: change(2, TASK), OTHER: change(3)}, at(3))
    message = orjson.loads(pending.take())
    assert [job["id"] for job in message["jobs"]] == [2, 3]
    assert [task["n"] for task in message["jobs"][0]["tasks"]] == [2, 1]
    assert decode_positions(message["cursor"]) == at(3)
    assert not pending.anything


def test_what_is_no_newer_than_the_snapshot_is_left_out():
    pending = Pending(at(5), most=10)
    pending.add({JOB: change(1)}, at(5))
    assert not pending.anything


def test_the_cursor_moves_when_nothing_of_the_client_changed():
    pending = Pending(at(5), most=10)
    pending.add({}, at(9))
    assert not pending.anything
    assert pending.positions == at(9)


def test_a_client_that_lags_too_far_gets_a_snapshot_and_costs_nothing():
    pending = Pending(at(1), most=2)
    pending.add({JOB: change(1, TASK, SECOND)}, at(2))
    assert pending.overflowed
    assert orjson.loads(pending.take())["jobs"] == []


def test_what_came_while_the_snapshot_was_read_is_kept_only_if_newer():
    older = Pending({}, most=10)
    older.add({JOB: change(1)}, at(4))
    older.settle({}, at(5))
    assert not older.anything
    newer = Pending({}, most=10)
    newer.add({JOB: change(2, TASK)}, at(6))
    newer.settle({JOB: change(1, TASK, SECOND), OTHER: change(0)}, at(5))
    message = orjson.loads(newer.take())
    assert [job["id"] for job in message["jobs"]] == [2, 0]
    assert {task["n"] for task in message["jobs"][0]["tasks"]} == {2, 1}
    assert decode_positions(message["cursor"]) == at(6)
