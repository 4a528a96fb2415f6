"""Answers: JSON of views, and every error as problem+json with a stable code."""

import json
from collections.abc import Sequence
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from candlelog.errors import Unavailable
from status_api.domain.problems import FieldError, Problem, invalid, invalid_fields

_LOGGER: Final = structlog.get_logger()

_CODES: Final = {
    "json_invalid": "malformed_json",
    "missing": "missing_field",
    "extra_forbidden": "unknown_field",
    "too_short": "empty_list",
    "too_long": "too_many_items",
}
_WORDS: Final = {"extra_forbidden": "there is no such field", "too_short": "one at least"}
_BY_STATUS: Final = {
    400: invalid("body", "malformed_json", "the body is no JSON"),
    404: Problem(404, "not_found", "there is nothing at this path"),
    405: Problem(405, "method_not_allowed", "this path does not take this method"),
    413: Problem(413, "body_too_large", "a body may hold 1 MiB"),
}
PROBLEM_CONTENT: Final = {
    "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
}
"""Of an answer that is an error, for the OpenAPI document."""


class ProblemDocument(BaseModel):
    """RFC 9457; `errors` says what is wrong with which field."""

    type: str = Field(examples=["urn:candlelog:problem:unknown_symbol"])
    title: str = Field(examples=["Unprocessable Entity"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["unknown symbol 'BTCUSDT'; did you mean BTC/USDT?"])
    code: str = Field(description="stable", examples=["unknown_symbol"])
    errors: list[dict[str, Any]] | None = Field(
        default=None, description="`field`, `code`, `detail`, `nearest` (valid names like it)"
    )


def json_response(view: BaseModel, *, status: int = 200, **options: Any) -> Response:
    """A view as JSON; `options` go to pydantic."""
    return Response(view.model_dump_json(**options), status, media_type="application/json")


def problem_response(problem: Problem) -> Response:
    """A problem as its document. Escaped to ASCII: it may repeat any text that was sent."""
    headers = {"WWW-Authenticate": "Bearer"} if problem.status == 401 else None
    return Response(
        json.dumps(problem.document()),
        problem.status,
        headers,
        media_type="application/problem+json",
    )


def answer_errors(app: FastAPI) -> None:
    """Have the application answer every error as a problem."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(Exception, _bug)


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return problem_response(error)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem_response(invalid_fields([_field_error(each) for each in error.errors()]))


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known = _BY_STATUS.get(error.status_code)
    response = problem_response(known or Problem(error.status_code, "refused", error.detail))
    response.headers.update(error.headers or {})  # Allow, where the method is not
    return response


async def _unavailable(_: Request, error: Exception) -> Response:
    return problem_response(Problem(503, "store_unavailable", str(error)))


async def _bug(request: Request, error: Exception) -> Response:
    _LOGGER.error("request_failed", path=request.url.path, exc_info=error)
    return problem_response(Problem(500, "internal_error", "a bug of ours; the log has it"))


_NO_KIND: Final = frozenset({"union_tag_invalid", "union_tag_not_found"})
_KINDS: Final = frozenset({"features", "candles"})
"""Of replays: pydantic puts the kind of a body before the names of its fields."""


def _field_error(error: dict[str, Any]) -> FieldError:
    kind, where = error["type"], error["loc"]
    if kind == "json_invalid":
        return FieldError("body", "malformed_json", "the body is no JSON")
    if kind in _NO_KIND:
        return FieldError("kind", _code(error), f"kind must be {' or '.join(sorted(_KINDS))}")
    if where[1:2] and where[1] in _KINDS and where[2:]:
        where = (where[0], *where[2:])
    field = _field(where[1:]) or where[0]
    if tuple(where) == ("body",):
        return FieldError("body", _code(error), "the body must be a JSON object, sent as such")
    said = _WORDS.get(error["type"]) or error["msg"].removeprefix("Value error, ")
    return FieldError(field, _code(error), f"{field}: {said}")


def _code(error: dict[str, Any]) -> str:
    return _CODES.get(error["type"], "invalid_value")


def _field(parts: Sequence[str | int]) -> str:
    """`symbols[3]` from `("symbols", 3)`."""
    names = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return "".join(names).removeprefix(".")
