"""Keyset pages, walked until the end or a limit."""

from collections.abc import AsyncIterator
from typing import TypeVar

from candlelog_client.http import Http, Parameters
from candlelog_client.results import Page, Result

R = TypeVar("R", bound=Result)

_LARGEST_PAGE = 500


async def items(
    http: Http, path: str, kind: type[R], wanted: Parameters, *, limit: int | None
) -> AsyncIterator[R]:
    """Each item of a paged list in the server's order, at most `limit` of them."""
    cursor: str | None = None
    left = limit
    while left is None or left > 0:
        size = _LARGEST_PAGE if left is None else min(left, _LARGEST_PAGE)
        answer = await http.get(path, {**wanted, "cursor": cursor, "limit": size})
        page = Page[kind].model_validate(answer)
        for item in page.items:
            yield item
        left = None if left is None else left - len(page.items)
        cursor = page.next
        if cursor is None:
            return
