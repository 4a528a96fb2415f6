"""The state of a job or a task: the highest version wins, whatever the order of arrival."""

from typing import Final

from candlelog.events.progress import JobStateChangedV1, TaskStateChangedV1
from candlelog.market.states import TERMINAL
from status_api.domain.rows import Figures

_FINISHED: Final = frozenset(str(status) for status in TERMINAL)


def finished(state: str) -> bool:
    """Whether nothing more happens by itself."""
    return state in _FINISHED


def change_state(row: Figures, event: JobStateChangedV1 | TaskStateChangedV1) -> None:
    """Move the row to the state of the event, unless the row is newer."""
    if event.version <= row.version:
        return
    row.version = event.version
    row.state = event.state
    row.reason = event.reason
    if event.state == "running" and row.started_at is None:
        row.started_at = event.changed_at
    row.completed_at = event.changed_at if finished(event.state) else None
