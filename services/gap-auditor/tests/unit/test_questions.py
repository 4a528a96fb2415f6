"""Tasks over the same slots are asked for together, within bounds."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from candlelog.market.series import Series
from gap_auditor.domain.questions import questions
from gap_auditor.domain.tasks import Task

START = datetime(2024, 2, 1, tzinfo=UTC)


def task(number: int, symbol: str = "BTC/USDT", timeframe: str = "1m", hours: int = 1) -> Task:
    series = Series("binance", symbol, timeframe)
    end = START + timedelta(hours=hours)
    return Task(uuid5(UUID(int=1), str(number)), UUID(int=2), series, START, end)


tasks = st.lists(
    st.builds(
        task,
        st.integers(0, 10**9),
        st.sampled_from(["A/B", "C/D", "E/F"]),
        st.sampled_from(["1m", "1h"]),
        st.integers(0, 3),
    ),
    max_size=12,
    unique_by=lambda each: each.task_id,
)


@given(tasks, st.integers(1, 400))
def test_every_task_with_a_slot_is_asked_for_once(tasks: list[Task], most: int):
    found = list(questions(tasks, most_slots=most))
    ids = [each.task_id for question in found for each in question.tasks]
    assert sorted(ids) == sorted(each.task_id for each in tasks if each.start < each.end)
    for question in found:
        assert len(set(question.symbols)) == len(question.symbols)
        assert {each.series.timeframe for each in question.tasks} == {question.timeframe}
        assert {(each.start, each.end) for each in question.tasks} == {
            (question.window.start, question.window.end)
        }


def test_as_many_symbols_are_asked_for_at_once_as_the_slots_allow():
    some = [task(number, f"S{number}/USDT") for number in range(5)]
    sizes = [len(question.tasks) for question in questions(some, most_slots=150)]
    assert sizes == [2, 2, 1]


def test_a_task_of_too_many_slots_is_asked_for_alone():
    some = [task(number, f"S{number}/USDT") for number in range(2)]
    assert [len(question.tasks) for question in questions(some, most_slots=10)] == [1, 1]
