"""Nobody waits for ever, and a higher priority gets more."""

from collections import Counter
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.fairness import Claim, DeficitRoundRobin, Queue, take_turns

BIG, SMALL, THIRD = UUID(int=1), UUID(int=2), UUID(int=3)


def test_a_small_job_gets_its_share_at_once_beside_a_big_one():
    turns = DeficitRoundRobin()
    assert turns.share([Claim(BIG, 5, 10_000)], 100) == {BIG: 100}
    assert turns.share([Claim(BIG, 5, 9_900), Claim(SMALL, 5, 2)], 12)[SMALL] == 2


def test_credit_that_comes_one_by_one_is_shared_by_priority():
    turns, given_out, left = DeficitRoundRobin(), Counter[UUID](), {BIG: 10_000, SMALL: 10_000}
    for _ in range(550):
        shares = turns.share([Claim(BIG, 9, left[BIG]), Claim(SMALL, 0, left[SMALL])], 1)
        given_out.update(shares)
    assert given_out == {BIG: 500, SMALL: 50}


claims = st.dictionaries(
    st.sampled_from([BIG, SMALL, THIRD]), st.tuples(st.integers(0, 9), st.integers(1, 60))
).map(lambda jobs: [Claim(job, *rest) for job, rest in jobs.items()])


@given(st.lists(st.tuples(claims, st.integers(0, 40)), max_size=8))
def test_credit_is_used_up_and_nobody_gets_more_than_it_wants(
    calls: list[tuple[list[Claim], int]],
):
    turns = DeficitRoundRobin()
    for wanted, credit in calls:
        shares = turns.share(wanted, credit)
        assert sum(shares.values()) == min(credit, sum(claim.chunks for claim in wanted))
        for claim in wanted:
            assert shares.get(claim.job_id, 0) <= claim.chunks


@given(st.lists(st.integers(0, 9), min_size=2, max_size=3), st.integers(1, 20))
def test_shares_of_jobs_that_want_more_follow_their_priorities(priorities: list[int], credit: int):
    turns, got = DeficitRoundRobin(), Counter[UUID]()
    jobs = [Claim(UUID(int=n), priority, 10**9) for n, priority in enumerate(priorities)]
    quantum = {claim.job_id: claim.priority + 1 for claim in jobs}
    for _ in range(50):
        got.update(turns.share(jobs, credit))
        rounds = [got[job] / quantum[job] for job in quantum]
        assert max(rounds) - min(rounds) <= 1


def queues(*lines: tuple[int, int]) -> list[Queue]:
    return [Queue(BIG, UUID(int=n), cursor, total, n) for n, (cursor, total) in enumerate(lines)]


def test_tasks_take_turns_and_those_behind_catch_up():
    taken = take_turns(queues((0, 10), (3, 10), (0, 1)), 7)
    assert taken == {UUID(int=0): 5, UUID(int=1): 1, UUID(int=2): 1}


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), max_size=6), st.integers(0, 60))
def test_turns_use_the_quota_and_level_the_cursors(lines: list[tuple[int, int]], quota: int):
    line = queues(*((cursor, cursor + left) for cursor, left in lines))
    taken = take_turns(line, quota)
    assert sum(taken.values()) == min(quota, sum(left for _, left in lines))
    after = {q.task_id: q.cursor + taken.get(q.task_id, 0) for q in line}
    unfinished = [after[q.task_id] for q in line if after[q.task_id] < q.chunks_total]
    moved = [after[q.task_id] for q in line if taken.get(q.task_id)]
    assert not unfinished or not moved or max(moved) - min(unfinished) <= 1
