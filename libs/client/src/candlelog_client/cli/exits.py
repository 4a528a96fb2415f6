"""Exit codes of the command, the same for every subcommand."""

from enum import IntEnum

from candlelog.errors import CandlelogError, Invalid, Unavailable
from candlelog_client.errors import NotConfigured, Unauthorized, Unreachable


class Exit(IntEnum):
    """Why the command ended; 0 only on success."""

    SUCCESS = 0
    FAILURE = 1
    """The server refused or failed, or a check did not hold."""
    USAGE = 2
    """The command line is wrong; nothing was sent."""
    JOB_WITH_ERRORS = 3
    JOB_FAILED = 4
    JOB_CANCELLED = 5
    UNREACHABLE = 6
    """No running system is known, or it does not answer."""
    UNAUTHORIZED = 7
    """The token is missing, wrong, or lacks the scope."""
    INTERRUPTED = 130


_OF_STATUS = {
    "completed": Exit.SUCCESS,
    "completed_with_errors": Exit.JOB_WITH_ERRORS,
    "failed": Exit.JOB_FAILED,
    "cancelled": Exit.JOB_CANCELLED,
}


def of_status(status: str) -> Exit:
    """The exit code for a job that ended with this status."""
    return _OF_STATUS.get(status, Exit.FAILURE)


def of_error(error: CandlelogError) -> Exit:
    """The exit code for an error."""
    if isinstance(error, NotConfigured | Unreachable | Unavailable):
        return Exit.UNREACHABLE
    if isinstance(error, Invalid):
        return Exit.USAGE
    if isinstance(error, Unauthorized):
        return Exit.UNAUTHORIZED
    return Exit.FAILURE
