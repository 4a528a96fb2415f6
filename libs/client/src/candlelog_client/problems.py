"""Answers of the server that are errors, mapped once into the client's own."""

from typing import Any

import orjson

from candlelog_client.errors import (
    ClientError,
    Conflict,
    NotFound,
    Refused,
    ServerProblem,
    Unauthorized,
)

_REFUSALS: dict[int, type[Refused]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
}


def error_of(status: int, body: bytes) -> ClientError:
    """The error that an answer with this status and body (RFC 9457, or anything) stands for."""
    problem = _problem(body)
    if problem is None:
        return ServerProblem(
            f"the server answered {status} and not as Candlelog does; is the address right?",
            status=status,
        )
    code = str(problem.get("code", ""))
    message = _sentence(problem, status)
    if status >= 500:
        return ServerProblem(message, status=status, code=code)
    kind = _REFUSALS.get(status, Refused)
    return kind(message, status=status, code=code, details=problem)


def _problem(body: bytes) -> dict[str, Any] | None:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(parsed, dict) or not {"title", "detail", "code"} & parsed.keys():
        return None
    return parsed


def _sentence(problem: dict[str, Any], status: int) -> str:
    said = str(problem.get("detail") or problem.get("title") or "no reason given")
    if status == 401:
        return f"the token was not accepted: {said}"
    if status == 403:
        return f"the token may not do this: {said}"
    faults: list[dict[str, Any]] = problem.get("errors") or []
    return "; ".join(_fault(fault) for fault in faults) or said


def _fault(fault: dict[str, Any]) -> str:
    field = str(fault.get("field", "request"))
    said = str(fault.get("detail", fault.get("code", "wrong")))
    if not said.startswith(field):
        said = f"{field}: {said}"
    near = [str(name) for name in fault.get("nearest") or []]
    if not near or all(name in said for name in near):
        return said
    return f"{said} (nearest: {', '.join(near)})"
