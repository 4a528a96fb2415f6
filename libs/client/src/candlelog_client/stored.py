"""What the server answers of what is stored, typed and frozen."""

from datetime import date, datetime

from candlelog_client.results import Result


class StoredSeries(Result):
    """A series that holds candles."""

    exchange: str
    symbol: str
    timeframe: str
    candles: int = 0
    first_open_time: datetime | None = None
    last_open_time: datetime | None = None
    updated_at: datetime | None = None


class Revision(Result):
    """What was believed of a slot from `observed_at` on and before `superseded_at`, which is None
    for what is believed now. Prices and `quote_volume` in quote, `volume` in base currency."""

    exchange: str
    symbol: str
    timeframe: str
    open_time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float | None = None
    trades: int | None = None
    source: str
    observed_at: datetime
    superseded_at: datetime | None = None


class CoverageRun(Result):
    """Neighbouring slots `[start, end)` of one state, as many as there are.

    `state` is present, provisional, no_trade, outage, unlisted, unfetchable or unknown; `source`
    and `outcome` say how the slots were asked for and answered, where in one way; `observed_at` is
    the oldest answer's time.
    """

    exchange: str
    symbol: str
    timeframe: str
    start: datetime
    end: datetime
    slots: int
    state: str
    source: str | None = None
    outcome: str | None = None
    observed_at: datetime | None = None


class Completeness(Result):
    """How many slots `[start, end)` of some series are in which state; names that differ are None.

    `completeness` is the part that something explains, 0 to 1; `freshness` (fresh, aging, stale)
    says how long the next candle has been missing.
    """

    exchange: str | None = None
    symbol: str | None = None
    timeframe: str | None = None
    day: date | None = None
    series: int | None = None
    start: datetime
    end: datetime
    slots: int
    states: dict[str, int]
    completeness: float
    freshness: str | None = None
    overdue_seconds: float | None = None
    read_at: datetime | None = None


class Prices(Result):
    """Prices in quote currency, the volume in base currency."""

    open: float
    high: float
    low: float
    close: float
    volume: float


class SeamDifference(Result):
    """A slot of which a file holds something else than the venue told last."""

    open_time: datetime
    archive: Prices
    venue: Prices


class Seam(Result):
    """Slots `[start, end)` of a series that were read from files and asked of the venue; so many
    are `differing`, and `differences` are the first hundred of these."""

    exchange: str
    symbol: str
    timeframe: str
    start: datetime
    end: datetime
    slots: int
    differing: int
    differences: tuple[SeamDifference, ...] = ()


class File(Result):
    """A file of an archive as it was read, or refused, last; `size` in bytes, `rows` those that
    were asked for, of which it lacks `missing`, and files of days say something else of `differing`
    (they are not stored). `status` is read, refused, or superseded by another
    file that was read later and holds all of it."""

    archive: str
    path: str
    exchange: str
    symbol: str
    timeframe: str
    status: str
    superseded_by: str | None = None
    refused: str | None = None
    sha256: str | None = None
    size: int = 0
    rows: int = 0
    quarantined: int = 0
    missing: int = 0
    differing: int = 0
    first_open_time: datetime | None = None
    last_open_time: datetime | None = None
    read_at: datetime
    job_id: str


class Gap(Result):
    """Neighbouring slots `[start, end)` of a series that nothing explains.

    `state` is detected, filling, unfillable or failed, and filled or merged once it is over;
    `beyond_reach` counts slots that are too old for the venue to answer for; `files` are the first
    of `files_total` files of an archive that would hold the candles; `job_id` is the repair that
    was last to ask for it, of so many `attempts`.
    """

    id: str
    exchange: str
    symbol: str
    timeframe: str
    start: datetime
    end: datetime
    slots: int
    state: str
    beyond_reach: int = 0
    files: tuple[str, ...] = ()
    files_total: int = 0
    attempts: int = 0
    tried_at: datetime | None = None
    job_id: str | None = None
    detected_at: datetime | None = None
    changed_at: datetime | None = None


class QuarantinedRow(Result):
    """A row of a venue's answer that broke a rule, kept as it came."""

    exchange: str
    symbol: str
    timeframe: str
    reason: str
    raw: str
    open_time: datetime | None = None
    source: str | None = None
    job_id: str | None = None
    chunk_id: str | None = None
    observed_at: datetime | None = None
