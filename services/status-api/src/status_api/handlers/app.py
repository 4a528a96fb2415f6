"""The application: routes, gate, limits of input, errors, OpenAPI document."""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse

from status_api.domain.tokens import Token
from status_api.handlers import (
    candles,
    features,
    files,
    gaps,
    health,
    jobs,
    limits,
    plans,
    replays,
    reports,
    seams,
    series,
    steering,
    streams,
)
from status_api.handlers.answers import PROBLEM_CONTENT, ProblemDocument, answer_errors
from status_api.handlers.body_limit import BodyLimit
from status_api.handlers.context import Context
from status_api.handlers.gate import Gate
from status_api.handlers.meter import Meter
from status_api.handlers.parameters import BEARER, ONLY_KNOWN, PREFIX

_DESCRIPTION: Final = """
Candlelog keeps a complete, explained and reproducible history of exchange candles.

Times are ISO 8601; ranges are half-open. Every error is `application/problem+json` with a stable
`code`. Live progress over WebSocket is at `/api/v1/stream?jobs=ID,…|all`.
"""
_DOCUMENT_PATH: Final = "/openapi.json"
_TAGS: Final = [
    {"name": "jobs", "description": "What is asked for, and how far it is."},
    {"name": "replays", "description": "What is stored, computed anew, compared, switched to."},
    {"name": "live", "description": "A snapshot, then deltas; resumes with a cursor."},
    {"name": "candles", "description": "What is stored, asked for and set aside."},
    {"name": "gaps", "description": "What nothing explains, and having it asked for."},
    {"name": "system", "description": "Budgets and health."},
]
_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": description, "content": PROBLEM_CONTENT}
    for status, description in {
        401: "no known token",
        403: "the token lacks the scope",
        404: "no such thing",
        409: "refused in this state",
        413: "body over 1 MiB",
        422: "invalid input",
        503: "a part is away",
    }.items()
}


def application(context: Context, tokens: Sequence[Token], version: str) -> FastAPI:
    """The REST API under `/api/v1`, with `/openapi.json` and `/docs` beside it."""
    app = FastAPI(
        title="Candlelog",
        version=version,
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        strict_content_type=False,
        redirect_slashes=False,
        openapi_url=None,
    )
    api = APIRouter(prefix=PREFIX, responses=_PROBLEMS)
    api.include_router(streams.router)
    for router in (
        plans.router, steering.many, jobs.tasks, jobs.router, steering.router, replays.router,
        candles.router, features.router, series.router, gaps.router, files.router,
        reports.router, seams.router, limits.router, health.router,
    ):  # fmt: skip
        api.include_router(router, dependencies=[BEARER, ONLY_KNOWN])
    app.include_router(api)
    _document(app)
    answer_errors(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(Gate, tokens=tokens)
    app.add_middleware(Meter, clock=context.clock)
    app.state.context = context
    return app


def _document(app: FastAPI) -> None:
    """Have the document answered, as JSON and as a page.

    It takes longer to make than all the rest of a start does: it is made when it is first asked
    for, and in a thread. FastAPI's own routes make it on the event loop, and all others wait.
    """

    def document(_: Request) -> JSONResponse:
        found = app.openapi()
        problem = ProblemDocument.model_json_schema()
        found["components"]["schemas"].setdefault("ProblemDocument", problem)
        return JSONResponse(found)

    def page(_: Request) -> HTMLResponse:
        return get_swagger_ui_html(openapi_url=_DOCUMENT_PATH, title=app.title)

    app.add_route(_DOCUMENT_PATH, document, include_in_schema=False)
    app.add_route("/docs", page, include_in_schema=False)
