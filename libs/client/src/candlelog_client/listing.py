"""A list of the server's: read item by item, or whole as an Arrow, polars or pandas frame."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final, Generic, TypeVar, get_args, get_origin

import pyarrow as pa

from candlelog_client.frames import library
from candlelog_client.http import Http, Parameters
from candlelog_client.paging import items
from candlelog_client.results import Result

R = TypeVar("R", bound=Result)

_KINDS: Final[dict[object, pa.DataType]] = {
    datetime: pa.timestamp("ms", tz="UTC"),
    float: pa.float64(),
    int: pa.int64(),
    str: pa.string(),
}


class Listing(Generic[R]):
    """`async for item in listing`, or the whole of it as a table; nothing is read before.

    Every way of reading begins anew, and raises `Refused` when the server rejects the question.
    """

    def __init__(
        self, http: Http, path: str, kind: type[R], wanted: Parameters, *, limit: int | None
    ) -> None:
        self._http = http
        self._path = path
        self._kind = kind
        self._wanted = wanted
        self._limit = limit

    def __aiter__(self) -> AsyncIterator[R]:
        """The items in the server's order."""
        return items(self._http, self._path, self._kind, self._wanted, limit=self._limit)

    async def to_arrow(self) -> pa.Table:
        """A row for each item; the columns are its fields."""
        rows = [item.model_dump() async for item in self]
        return pa.Table.from_pylist(rows, _schema(self._kind))

    async def to_polars(self) -> Any:
        """The same as a `polars.DataFrame`. Raises `ClientError` where polars is missing."""
        return library("polars").from_arrow(await self.to_arrow())

    async def to_pandas(self) -> Any:
        """The same as a `pandas.DataFrame`. Raises `ClientError` where pandas is missing."""
        library("pandas")
        return (await self.to_arrow()).to_pandas()


def _schema(kind: type[Result]) -> pa.Schema:
    return pa.schema([(name, _type(field.annotation)) for name, field in kind.model_fields.items()])


def _type(annotation: object) -> pa.DataType:
    """The type of a column for that of a field, which may be optional, or a tuple of one kind."""
    if get_origin(annotation) is tuple:
        return pa.list_(_type(get_args(annotation)[0]))
    return next(_KINDS[each] for each in (annotation, *get_args(annotation)) if each in _KINDS)
