"""What a request can be answered instead of what it asked for (RFC 9457)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong with the input; `nearest` are valid names like the one given."""

    field: str
    code: str
    detail: str
    nearest: tuple[str, ...] = ()


class Problem(Exception):
    """An answer that is an error: `code` is stable, `detail` is for people."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.extra = dict(extra or {})

    def document(self) -> dict[str, Any]:
        """The problem as the members of its JSON object."""
        body: dict[str, Any] = {
            "type": f"urn:candlelog:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.errors:
            body["errors"] = [asdict(error) for error in self.errors]
        return body | self.extra


def invalid(field: str, code: str, detail: str, nearest: Sequence[str] = ()) -> Problem:
    """422 for one field."""
    return invalid_fields([FieldError(field, code, detail, tuple(nearest))])


def invalid_fields(errors: Sequence[FieldError]) -> Problem:
    """422 for several fields; the first gives the code."""
    return Problem(422, errors[0].code, errors[0].detail, errors=errors)
