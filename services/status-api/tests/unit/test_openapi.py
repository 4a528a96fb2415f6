"""The OpenAPI document and the gate before every route."""

import hashlib
import re
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from candlelog.clock import SystemClock
from status_api.domain.tokens import parse_tokens
from status_api.handlers.app import application

TOKENS = parse_tokens(
    ";".join(
        f"{name}:{name}:{hashlib.sha256(name.encode()).hexdigest()}"
        for name in ("read", "submit", "admin")
    )
)


ANY_ID = defaultdict(lambda: "00000000-0000-0000-0000-000000000000")


@pytest.fixture(scope="module")
def app() -> Any:
    """The application over parts that nobody may touch. Making its document takes much longer than
    a test, and no test changes it."""
    return application(SimpleNamespace(clock=SystemClock()), TOKENS, "1.2.3")  # pyright: ignore[reportArgumentType] -- as much of a context as is used


@pytest.fixture(scope="module")
async def document(app: Any) -> dict[str, Any]:
    """As it is answered to whoever has no token."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://test"
    ) as http:
        return (await http.get("/openapi.json")).json()


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
async def test_who_asks_only_whether_there_is_a_document_is_told(app: Any, path: str):
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://test"
    ) as http:
        assert (await http.head(path)).status_code == 200


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def test_every_operation_says_who_may_and_what_can_go_wrong(document: dict[str, Any]):
    assert len(operations(document)) > 10
    for method, path, operation in operations(document):
        assert operation["security"] == [{"HTTPBearer": []}], path
        assert operation["description"], path
        assert operation["tags"], path
        problem = operation["responses"]["422"]["content"]["application/problem+json"]
        assert problem["schema"]["$ref"] == "#/components/schemas/ProblemDocument", (method, path)


def test_every_reference_of_the_document_leads_somewhere(document: dict[str, Any]):
    known = set(document["components"]["schemas"])

    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"].rsplit("/", 1)[1]} if "$ref" in value else set()
            return own.union(*(references(each) for each in value.values()))
        if isinstance(value, list):
            return set().union(*(references(each) for each in value))
        return set()

    assert references(document) <= known


async def test_no_route_is_reached_without_a_token_of_its_scope(app: Any, document: dict[str, Any]):
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        for method, template, _ in operations(document):
            path = template.format_map(ANY_ID)
            none = await http.request(method, path)
            assert (none.status_code, none.json()["code"]) == (401, "unauthenticated"), path
            assert none.headers["www-authenticate"] == "Bearer"
            wrong = await http.request(method, path, headers={"Authorization": "Bearer nobody"})
            assert wrong.status_code == 401, path
            if method == "post":
                reader = {"Authorization": "Bearer read"}
                weak = await http.request(method, path, headers=reader, content=b"{")
                assert (weak.status_code, weak.json()["code"]) == (403, "forbidden"), path


@pytest.mark.parametrize("header", ["Basic read", "read", "Bearer", "Bearer  ", "bearer nobody"])
async def test_other_ways_to_send_a_token_are_none(app: Any, header: str):
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        answer = await http.get("/api/v1/jobs", headers={"Authorization": header})
    assert answer.status_code == 401


async def test_a_query_that_says_more_than_the_operation_takes_is_refused(
    app: Any, document: dict[str, Any]
):
    """A wish that is left aside in silence, such as `adjusted`, would be answered wrongly."""
    transport = httpx.ASGITransport(app)
    headers = {"Authorization": "Bearer admin"}
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        for method, template, operation in operations(document):
            path = template.format_map(ANY_ID)
            taken = [
                each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"
            ]
            query = dict.fromkeys([*taken, "adjusted"], "x")
            answer = await http.request(method, path, params=query, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (422, "unknown_field"), path
            assert [error["field"] for error in answer.json()["errors"]] == ["adjusted"], path


ONE_METHOD = [
    ("PUT", "limits", "GET"),
    ("GET", "jobs/plan", "POST"),
    ("DELETE", "jobs/plan", "POST"),
    ("GET", "jobs/actions", "POST"),
    ("DELETE", "jobs/actions", "POST"),
    ("POST", f"jobs/{ANY_ID['job_id']}/tasks", "GET"),
    ("POST", f"jobs/{ANY_ID['job_id']}/events", "GET"),
    ("GET", f"jobs/{ANY_ID['job_id']}/cancel", "POST"),
    ("GET", "gaps/fill", "POST"),
]


@pytest.mark.parametrize(("method", "path", "allowed"), ONE_METHOD)
async def test_a_method_that_a_path_does_not_take_is_told_which_it_takes(
    app: Any, method: str, path: str, allowed: str
):
    transport = httpx.ASGITransport(app)
    headers = {"Authorization": "Bearer admin"}
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        answer = await http.request(method, f"/api/v1/{path}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("path", ["/jobs", "/replays"])
def test_the_document_refuses_the_keys_that_the_route_refuses(document: dict[str, Any], path: str):
    operation = document["paths"][f"/api/v1{path}"]["post"]
    (key,) = (each for each in operation["parameters"] if each["name"] == "Idempotency-Key")
    pattern = key["schema"]["pattern"]  # JSON schema looks for it anywhere in the value
    assert [re.search(pattern, value) for value in ("", "x" * 201, "tab\tkey")] == [None] * 3
    assert re.search(pattern, "nightly 1")
