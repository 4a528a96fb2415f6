"""What is done about one event of `fetch.requested`."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Final, TypeVar

from candlelog.clock import Clock
from candlelog.errors import Invalid
from candlelog.events.candles import CandleBatchV1
from candlelog.events.codec import Message
from candlelog.events.fetch import ArchiveFileRef, FetchRequestedV1, MarketsRequestedV1
from candlelog.events.markets import MarketsListedV1
from candlelog.log.outcome import Done, Outcome, Reject, Skip
from candlelog.log.publish import Publisher
from candlelog.log.types import Received
from candlelog.market.pages import NO_ROWS
from candlelog.market.ranges import TimeRange
from fetcher.adapters.archive_files import ArchiveFiles
from fetcher.archives.gate import FileRefused
from fetcher.control import Control
from fetcher.domain import reports
from fetcher.domain.failures import (
    Away,
    BackingOff,
    Permanent,
    StillOpen,
    Transient,
    Unanswered,
    Unsure,
    Unwanted,
    VenueFailure,
)
from fetcher.domain.file_summary import Summary
from fetcher.ports import Gate
from fetcher.releases import Releases, Turn
from fetcher.venue import Fetched
from fetcher.venues import Venues

T = TypeVar("T")

_SHORT_PAUSE: Final = 1.0
"""Seconds after which a chunk comes back for a reason that tells no time."""
_LOOK_AGAIN: Final = 60.0
"""Seconds after which the venue's time is looked at again, where it said that a candle is open: a
clock that was wrong by hours is set."""
_PATIENT_RELEASES: Final = 20
"""From this release of a chunk on, whatever those before it were for, it uses up an attempt that
its request alone has no answer."""
_LACKS: Final = (
    "holds no candle of what is asked of it, and none near it; the next job of that range asks the "
    "exchange, unless it is of files alone"
)
_FETCHED_MEANWHILE: Final = Skip("another release of the chunk was fetched meanwhile")


class Handlers:
    """Turns requests into candles on the log, or into the reason why not."""

    def __init__(
        self,
        venues: Venues,
        files: ArchiveFiles,
        control: Control,
        publisher: Publisher,
        *,
        clock: Clock,
        instance: str,
    ) -> None:
        self._venues = venues
        self._files = files
        self._control = control
        self._publisher = publisher
        self._clock = clock
        self._instance: Final = instance
        self._releases = Releases()

    async def __call__(self, received: Sequence[Received]) -> Sequence[Outcome]:
        """One outcome for each event."""
        return [await self._handle(item.event) for item in received]

    async def _handle(self, event: Message) -> Outcome:
        match event:
            case FetchRequestedV1():
                return await self.fetch(event)
            case MarketsRequestedV1():
                return await self.list_markets(event)
            case _:
                return Reject(f"{event.ce_type} is no request to fetch")

    async def fetch(self, chunk: FetchRequestedV1) -> Outcome:
        """Fetch one chunk: its batch, and only then the word that it was fetched."""
        async with self._releases.turn(chunk.chunk_id, chunk.generation) as turn:
            if turn.fetched:
                return _FETCHED_MEANWHILE
            if chunk.file is not None:
                return await self._read(chunk, chunk.file, turn)
            return await self._fetch(chunk, turn)

    async def _read(self, chunk: FetchRequestedV1, file: ArchiveFileRef, turn: Turn) -> Outcome:
        """Read what a chunk asks of a file: its batches, what is to be said of the file, and only
        then the word that the chunk was fetched."""

        async def parts(gate: Gate) -> tuple[Summary, int]:
            number = 0
            async with self._files.opened(chunk, file) as reading:
                observed_at = self._clock.now()
                async for part in reading.parts():
                    gate()
                    number = part.number + 1
                    await self._publisher.publish(
                        reports.batch(
                            chunk,
                            part.page,
                            part.window,
                            observed_at,
                            part=part.number,
                            last_part=part.is_last,
                        )
                    )
                return reading.summary(), number

        try:
            summary, number = await self._when_wanted(chunk, parts)
        except Unwanted as reason:
            return Skip(str(reason))
        except VenueFailure as failure:
            if isinstance(failure, FileRefused):
                now = self._clock.now()
                await self._publisher.publish(reports.file_refused(chunk, file, failure, now=now))
            return await self._report(chunk, failure)
        now = self._clock.now()
        await self._publisher.publish(reports.file_read(chunk, file, summary, now=now))
        if not number:
            return await self._report(chunk, Permanent("not_in_file", f"{file.path}: {_LACKS}"))
        got = reports.Got(summary.rows, summary.quarantined, number)
        await self._publisher.publish(
            reports.fetched(chunk, got, weight=0.0, by=self._instance, now=now)
        )
        turn.fetched = True
        return Done()

    async def _fetch(self, chunk: FetchRequestedV1, turn: Turn) -> Outcome:
        try:
            venue = await self._venues.venue(chunk.exchange)
        except Invalid as error:
            return await self._report(chunk, Permanent("unknown_exchange", str(error)))
        try:
            found = await self._when_wanted(chunk, partial(venue.candles, chunk))
        except Unwanted as reason:
            return Skip(str(reason))
        except VenueFailure as failure:
            return await self._report(chunk, failure)
        batches = _batches(chunk, found)
        await self._publisher.publish(*batches)
        weight = venue.profile.weights["klines"] * found.requests
        now = self._clock.now()
        got = reports.Got(found.page.rows.num_rows, len(found.page.quarantined), len(batches))
        await self._publisher.publish(
            reports.fetched(chunk, got, weight=weight, by=self._instance, now=now)
        )
        turn.fetched = True
        return Done()

    async def list_markets(self, request: MarketsRequestedV1) -> Outcome:
        """Publish what an exchange lists. Whoever asked asks again when it cannot be reached."""
        try:
            venue = await self._venues.venue(request.exchange)
            listing = await venue.markets(request.requested_at)
        except Invalid as error:
            return Reject(str(error))
        except VenueFailure as failure:
            return Skip(str(failure))
        await self._publisher.publish(
            MarketsListedV1(
                exchange=request.exchange, markets=listing.markets, listed_at=listing.listed_at
            )
        )
        return Done()

    async def _when_wanted(
        self, chunk: FetchRequestedV1, work: Callable[[Gate], Awaitable[T]]
    ) -> T:
        """Do what a chunk asks for, as soon as it is certain that it is wanted; `work` calls the
        gate before each of its steps."""
        received, since = self._clock.monotonic(), float("-inf")
        with self._control.in_use():
            while True:
                await self._control.fresh(since)
                try:
                    self._check_wanted(chunk, received)
                    return await work(lambda: self._check_wanted(chunk, received))
                except Unsure:
                    since = received

    def _check_wanted(self, chunk: FetchRequestedV1, received: float) -> None:
        """Raise `Unwanted`, or `Unsure`: an older reading may not know yet that the task, which was
        stopped, goes on."""
        stopped = self._control.stopped(chunk.job_id, chunk.task_id, chunk.generation)
        if stopped == "for good" or (stopped and self._control.holds(received)):
            raise Unwanted("the job was stopped, or the chunk superseded")
        if stopped or not self._control.is_fresh:
            raise Unsure

    async def _report(self, chunk: FetchRequestedV1, failure: VenueFailure) -> Outcome:
        now = self._clock.now()
        if isinstance(failure, Unanswered) and chunk.release >= _PATIENT_RELEASES:
            failure = Transient("no_answer", str(failure))
        match failure:
            case Transient() | Permanent():
                await self._publisher.publish(reports.failed(chunk, failure, now=now))
            case _:
                until = now + timedelta(seconds=_pause(failure))
                await self._publisher.publish(
                    reports.deferred(chunk, until=until, reason=str(failure), now=now)
                )
        return Done()


def _batches(chunk: FetchRequestedV1, found: Fetched) -> list[CandleBatchV1]:
    """The page of a chunk, and before and behind it what was not listed."""
    window, listed = found.window, found.listed
    parts = [window if listed is None else listed]
    if listed is not None and window.start < listed.start:
        parts.insert(0, TimeRange(window.start, listed.start))
    if listed is not None and listed.end < window.end:
        parts.append(TimeRange(listed.end, window.end))
    return [
        reports.batch(
            chunk,
            found.page if part == listed else NO_ROWS,
            part,
            found.observed_at,
            part=number,
            last_part=number == len(parts) - 1,
            is_listed=part == listed,
        )
        for number, part in enumerate(parts)
    ]


def _pause(failure: VenueFailure) -> float:
    """Seconds after which the chunk may be tried again."""
    match failure:
        case Away():
            return _SHORT_PAUSE if failure.retry_after is None else failure.retry_after
        case BackingOff():
            return failure.seconds
        case StillOpen():
            return min(failure.seconds, _LOOK_AGAIN)
        case _:
            return _SHORT_PAUSE
