"""The errors of the client, drawn once.

ClientError (a CandlelogError)
├── NotConfigured    nobody said where Candlelog is; nothing was sent
├── Unreachable      no answer: connection refused, lost or too slow
├── ServerProblem    the server answered 5xx, or something that is no answer of Candlelog
└── Refused          the server answered 4xx and said why: `status`, `code`, `details`
    ├── Unauthorized     401 or 403: no token, a wrong one, or one without the scope
    ├── NotFound         404
    └── Conflict         409: the state forbids it
"""

from typing import Any

from candlelog.errors import CandlelogError


class ClientError(CandlelogError):
    """Base of every error of the client; its text is one sentence fit for a user."""


class NotConfigured(ClientError):
    """No address is known."""


class Unreachable(ClientError):
    """The server gave no answer."""


class ServerProblem(ClientError):
    """The server failed; `code` and `status` are its own where it gave them."""

    def __init__(self, message: str, *, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Refused(ClientError):
    """The server understood and said no; `details` is its whole problem document."""

    def __init__(
        self, message: str, *, status: int, code: str, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.details = details or {}


class Unauthorized(Refused):
    """The token is missing, unknown, or lacks the scope."""


class NotFound(Refused):
    """There is no such thing."""


class Conflict(Refused):
    """The present state forbids it."""
