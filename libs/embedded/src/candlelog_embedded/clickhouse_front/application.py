"""ClickHouse's HTTP interface, as far as `clickhouse-connect` uses it."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from candlelog_embedded.clickhouse_front.bodies import RefusedBodyError, read_body
from candlelog_embedded.clickhouse_front.engine import Engine, EngineError, Result
from candlelog_embedded.clickhouse_front.statement import UnreadableStatementError, read_statement

_SYNTAX_ERROR = 62
_BAD_ARGUMENTS = 36
_STATUS_OF_CODE = {_SYNTAX_ERROR: 400, _BAD_ARGUMENTS: 400, 60: 404, 81: 404}
_FROM_A_WEB_PAGE = PlainTextResponse("requests of web pages are refused\n", status_code=403)


def application(engine: Engine, *, threads: int) -> Starlette:
    """The front over `engine`, which it closes; at most `threads` statements run at once."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="statement")

    async def run(request: Request) -> Response:
        # There are no users here: what keeps a page in the browser from writing to the engine is
        # that browsers say where a request comes from.
        if "origin" in request.headers:
            return _FROM_A_WEB_PAGE
        query_id = request.query_params.get("query_id") or str(uuid.uuid4())
        try:
            statement = read_statement(*await read_body(request))
        except (RefusedBodyError, UnreadableStatementError) as error:
            return _refusal(_BAD_ARGUMENTS, f"Code: {_BAD_ARGUMENTS}. DB::Exception: {error}")
        if not statement.sql.strip():
            return await ping(request)
        try:
            loop = asyncio.get_running_loop()
            result = await loop.run_in_executor(pool, engine.run, statement)
        except EngineError as error:
            return _refusal(error.code, str(error))
        return Response(
            result.body,
            headers={
                "X-ClickHouse-Summary": _summary(result),
                "X-ClickHouse-Query-Id": query_id,
                "X-ClickHouse-Timezone": engine.timezone,
                "X-ClickHouse-Format": statement.format,
            },
        )

    async def ping(_: Request) -> Response:
        return PlainTextResponse("Ok.\n")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        yield
        pool.shutdown()
        engine.close()

    return Starlette(
        routes=[
            Route("/ping", ping, methods=["GET"]),
            Route("/", run, methods=["GET", "POST"]),
        ],
        # A page that resolves its own name to this machine still names itself as the host.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
        lifespan=lifespan,
    )


def _summary(result: Result) -> str:
    figures = {
        "read_rows": str(result.read_rows),
        "written_rows": str(result.written_rows),
        "written_bytes": str(result.written_bytes),
        "elapsed_ns": str(int(result.elapsed_seconds * 1e9)),
    }
    return orjson.dumps(figures).decode()


def _refusal(code: int, text: str) -> Response:
    return PlainTextResponse(
        f"{text}\n",
        status_code=_STATUS_OF_CODE.get(code, 500),
        headers={"X-ClickHouse-Exception-Code": str(code)},
    )
