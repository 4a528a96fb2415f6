"""Reading the files of archives from the projection."""

from collections.abc import Sequence

from candlelog.stores.postgres import Pool, outages
from status_api.adapters import statements
from status_api.adapters.history import Wanted
from status_api.adapters.tables import FILES
from status_api.domain.cursors import FileKey
from status_api.domain.rows import FileRow


class FileReader:
    """Files as they are projected. Every method may raise `Unavailable`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(
        self, wanted: Wanted, status: str | None, *, after: FileKey | None, limit: int
    ) -> Sequence[tuple[FileRow, str | None]]:
        """Files by archive and path, behind `after`, each with the file that superseded it: one of
        its series that was read later, and holds all of it. `status` is `read`, `refused` or
        `superseded`."""
        place = (None, None) if after is None else (after.archive, after.path)
        names = (wanted.exchange, wanted.symbol, wanted.timeframe)
        with outages():
            records = await self._pool.fetch(statements.FILES_PAGE, *names, status, *place, limit)
        return [(FILES.of_record(record), record["superseded_by"]) for record in records]
