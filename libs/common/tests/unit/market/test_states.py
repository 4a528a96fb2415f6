"""Every (state, action) pair has one answer."""

import pytest

from candlelog.market.states import TERMINAL, Action, Refusal, Status, transition

ALLOWED = {
    (Status.PENDING, Action.ACCEPT): Status.QUEUED,
    (Status.PENDING, Action.FAIL): Status.FAILED,
    (Status.PENDING, Action.PAUSE): Status.PAUSED,
    (Status.PENDING, Action.CANCEL): Status.CANCELLED,
    (Status.QUEUED, Action.START): Status.RUNNING,
    (Status.QUEUED, Action.COMPLETE): Status.COMPLETED,
    (Status.QUEUED, Action.COMPLETE_WITH_ERRORS): Status.COMPLETED_WITH_ERRORS,
    (Status.QUEUED, Action.FAIL): Status.FAILED,
    (Status.QUEUED, Action.PAUSE): Status.PAUSED,
    (Status.QUEUED, Action.CANCEL): Status.CANCELLED,
    (Status.RUNNING, Action.COMPLETE): Status.COMPLETED,
    (Status.RUNNING, Action.COMPLETE_WITH_ERRORS): Status.COMPLETED_WITH_ERRORS,
    (Status.RUNNING, Action.FAIL): Status.FAILED,
    (Status.RUNNING, Action.PAUSE): Status.PAUSED,
    (Status.RUNNING, Action.CANCEL): Status.CANCELLED,
    (Status.PAUSED, Action.COMPLETE): Status.COMPLETED,
    (Status.PAUSED, Action.COMPLETE_WITH_ERRORS): Status.COMPLETED_WITH_ERRORS,
    (Status.PAUSED, Action.FAIL): Status.FAILED,
    (Status.PAUSED, Action.RESUME): Status.QUEUED,
    (Status.PAUSED, Action.CANCEL): Status.CANCELLED,
    (Status.COMPLETED_WITH_ERRORS, Action.RETRY): Status.QUEUED,
    (Status.FAILED, Action.RETRY): Status.QUEUED,
    (Status.CANCELLED, Action.RETRY): Status.QUEUED,
    (Status.COMPLETED, Action.DELETE): Status.DELETED,
    (Status.COMPLETED_WITH_ERRORS, Action.DELETE): Status.DELETED,
    (Status.FAILED, Action.DELETE): Status.DELETED,
    (Status.CANCELLED, Action.DELETE): Status.DELETED,
}
REFUSED = [(s, a) for s in Status for a in Action if (s, a) not in ALLOWED]


@pytest.mark.parametrize(("pair", "target"), ALLOWED.items(), ids=str)
def test_an_allowed_action_leads_to_its_state(pair: tuple[Status, Action], target: Status):
    assert transition(*pair) == target


@pytest.mark.parametrize(("state", "action"), REFUSED)
def test_any_other_action_is_refused_with_a_reason_that_names_the_state(
    state: Status, action: Action
):
    refusal = transition(state, action)
    assert isinstance(refusal, Refusal)
    assert state in refusal.reason


def test_nothing_but_retry_or_a_deletion_leaves_a_terminal_state():
    leaving = {
        action
        for state in TERMINAL
        for action in Action
        if not isinstance(transition(state, action), Refusal)
    }
    assert leaving == {Action.RETRY, Action.DELETE}
