"""A venue as this process deals with it: its adapter, its budget and its clock together."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Final, TypeVar

from candlelog.clock import Clock
from candlelog.events.fetch import FetchRequestedV1
from candlelog.events.fields import EARLIEST
from candlelog.events.markets import Market
from candlelog.market.pages import NO_ROWS, Page
from candlelog.market.profile import ExchangeProfile
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe
from fetcher.asking import Asking, Query, always
from fetcher.domain.coverage import check_answered, check_closed
from fetcher.domain.failures import (
    Away,
    BackingOff,
    NotSent,
    Permanent,
    StillOpen,
    Transient,
    Undated,
    Unsure,
    Unwanted,
    VenueFailure,
)
from fetcher.domain.listed import Listed, begins_late, first_row
from fetcher.domain.outages import FIRST_SECONDS
from fetcher.domain.rows import Question, read
from fetcher.domain.silences import Silence, has_unread
from fetcher.domain.windows import moment
from fetcher.limits.purse import Purse
from fetcher.ports import Answer, Exchange, Gate, RawPage

_JUST_TOLD_SECONDS: Final = 30.0
"""Age up to which the venue is not asked again whether a candle is open by its clock."""
_SOON_SECONDS: Final = 2.0
"""Time to a close for which it is not asked, either: the chunk comes back then."""
_ASK_AGAIN_SECONDS: Final = 30.0
"""Pause after which it is asked again for a time, or a limit, that it failed to tell, while one is
known."""
_LISTING_AGE: Final = 600.0
"""Seconds: a symbol that is not on a list older than this is looked up on a fresh one."""
_AT_FIRST: Final = 1.0
"""The same of a symbol that was on no list before: it may have been listed a moment ago, and who
took its job knows a newer list."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page, what it answers for, and the exchange time as of which it holds; it took so many
    `requests`. Of the window `listed` may hold candles, None for nothing of it: the venue had no
    such market before, or has none since."""

    page: Page
    window: TimeRange
    observed_at: datetime
    listed: TimeRange | None
    requests: int = 1


@dataclass(frozen=True, slots=True)
class Listing:
    """The markets of a venue as of `listed_at`, our wall clock at the time of asking; `asked_at` is
    the same on our steady clock. Those of `ceased` trade no more. Where it `states_limit`, it
    states the venue's, too."""

    markets: tuple[Market, ...]
    symbols: frozenset[str]
    ceased: frozenset[str]
    listed_at: datetime
    asked_at: float
    states_limit: bool


class Venue:
    """Asks one venue, within the budget. Every method may raise `VenueFailure`."""

    def __init__(
        self,
        profile: ExchangeProfile,
        exchange: Exchange,
        purse: Purse,
        *,
        clock: Clock,
        random: Random,
    ) -> None:
        self.profile: Final = profile
        self._exchange = exchange
        self._purse = purse
        self._clock = clock
        self._asking = Asking(profile, purse, self._ask_time_aside, clock=clock, random=random)
        self._silences = defaultdict[tuple[str, str], Silence](Silence)
        self._listed = defaultdict[tuple[str, str], Listed](Listed)
        self._listing: Listing | None = None
        self._missed = set[str]()
        self._listing_lock = asyncio.Lock()
        self._listing_failed = (float("-inf"), VenueFailure())
        self._read_again_at = float("-inf")
        self._asking_time: asyncio.Task[VenueFailure | None] | None = None
        self._ask_again_at = float("-inf")

    @property
    def trouble(self) -> str | None:
        """Why it is left alone, where it is."""
        return self._asking.trouble

    async def close(self) -> None:
        """Ask nothing more by itself."""
        if self._asking_time is not None:
            self._asking_time.cancel()
            await asyncio.wait({self._asking_time})

    async def candles(self, chunk: FetchRequestedV1, wanted: Gate) -> Fetched:
        """The page of a chunk, or of as much of its end as the venue answers for.

        Where a venue that has rows of all slots has none at the end of the page, and has not said
        so twice before, it is asked for the row that comes next: an answer that is too short is
        not taken for an outage. Slots that may still come are read again later anyway. Where it has
        none at the begin, it is asked for its very first: what lies before was not listed, and is
        not asked for again.
        `wanted` is called right before the request is written, and raises when it must not be.
        """
        if chunk.timeframe not in self.profile.timeframes:
            raise Permanent(
                "unknown_timeframe", f"{self.profile.name} has no {chunk.timeframe} candles"
            )
        window, timeframe = TimeRange(chunk.start, chunk.end), Timeframe.parse(chunk.timeframe)
        await self._prepare(chunk.symbol, wanted)
        await self._check_closed(window, timeframe)
        if self.profile.sparse:
            return await self._page(chunk, window, self.profile.page_size, wanted)
        listed = self._listed[chunk.symbol, chunk.timeframe]
        listed.forget(self._clock.monotonic())
        if listed.first is not None and window.end <= listed.first:
            now = self._exchange_time(self._clock.monotonic())
            return Fetched(NO_ROWS, window, now, None, requests=0)
        fetched = await self._page(chunk, window, self.profile.page_size, wanted)
        listed.forget(self._clock.monotonic(), fetched.page)
        requests = 1 + await self._look_behind(chunk, fetched, wanted)
        requests += await self._look_before(chunk, fetched, wanted)
        return replace(fetched, listed=listed.within(fetched.window), requests=requests)

    async def _look_behind(self, chunk: FetchRequestedV1, fetched: Fetched, wanted: Gate) -> int:
        """Ask for the row behind a page that has none at its end; how many requests that took.
        Where none follows, of a market that has ceased, the series ends there."""
        timeframe = Timeframe.parse(chunk.timeframe)
        silence = self._silences[chunk.symbol, chunk.timeframe]
        silent = silence.after(fetched.page, fetched.window, timeframe)
        if silent is None:
            return 0
        now = self._exchange_time(self._clock.monotonic())
        if self._may_still_come(silent.slots, timeframe, now):
            return 0
        rest = TimeRange(silent.slots.start, max(timeframe.floor(now), silent.slots.end))
        found = await self._page(chunk, rest, 1, wanted)
        silence.confirm(silent, found.page, found.window)
        listing = self._listing
        ceased = listing is not None and chunk.symbol in listing.ceased
        if ceased and not found.page.rows.num_rows and not found.page.quarantined:
            self._listed[chunk.symbol, chunk.timeframe].ends(
                silent.slots.start, self._clock.monotonic()
            )
        return 1

    async def _look_before(self, chunk: FetchRequestedV1, fetched: Fetched, wanted: Gate) -> int:
        """Ask for the first candle of the series, where that of a page is not that of its window
        and it is not known; how many requests that took."""
        timeframe = Timeframe.parse(chunk.timeframe)
        listed = self._listed[chunk.symbol, chunk.timeframe]
        if listed.first is not None or not begins_late(fetched.page, fetched.window, timeframe):
            return 0
        now = self._exchange_time(self._clock.monotonic())
        if self._may_still_come(fetched.window, timeframe, now):
            return 0
        always = TimeRange(timeframe.ceil(EARLIEST), max(timeframe.floor(now), fetched.window.end))
        told: list[datetime | None] = []
        for _ in range(2):  # one answer alone may be wrong, and would be believed for long
            found = await self._page(chunk, always, 1, wanted)
            unread = has_unread(found.page)
            told.append(None if unread else first_row(found.page, found.window, timeframe))
        if told[0] is not None and told[0] == told[1]:  # no candle at all proves nothing
            listed.begins(told[0], self._clock.monotonic())
        return len(told)

    async def _check_closed(self, window: TimeRange, timeframe: Timeframe) -> None:
        """Raises `StillOpen` while the last candle has not closed. Where that is not a matter of
        seconds, the venue is asked whether it is so, unless it has just told, or failed to, and
        what the question meets is raised: while nothing is sent, no date says that its clock was
        set."""
        try:
            check_closed(window, timeframe, self._exchange_time(self._clock.monotonic()))
        except StillOpen as failure:
            if failure.seconds <= _SOON_SECONDS:
                raise
            self._purse.time.suspect(older_than=_JUST_TOLD_SECONDS)
            await self.keep_time()
            check_closed(window, timeframe, self._exchange_time(self._clock.monotonic()))

    def _may_still_come(self, slots: TimeRange, timeframe: Timeframe, now: datetime) -> bool:
        """Whether these are so new that they are read again after the settle delay anyway."""
        delay = timedelta(seconds=self.profile.settle_delay_seconds)
        return timeframe.advance(slots.start, 1) > now - delay

    async def _page(
        self, chunk: FetchRequestedV1, window: TimeRange, most: int, wanted: Gate
    ) -> Fetched:
        """The first candles of that window, `most` of them."""
        timeframe = Timeframe.parse(chunk.timeframe)

        def fetched(answer: Answer[RawPage]) -> Fetched:
            asked_at = self._exchange_time(answer.sent)
            said = answer.said
            try:
                check_closed(said.window, timeframe, asked_at)
            except StillOpen as error:
                raise Undated("a candle was open then, by the time told since") from error
            question = Question(said.window, timeframe, timeframe.floor(asked_at))
            page = read(said.text, said.layout, question)
            check_answered(page, said.window, most_rows=most)
            return Fetched(page, said.window, asked_at, said.window)

        request = partial(self._exchange.candles, chunk.symbol, chunk.timeframe, window, most=most)
        return await self._asking.ask(Query("klines", request, fetched, wanted))

    async def markets(self, requested_at: datetime) -> Listing:
        """What the venue lists, read after `requested_at` (our wall clock)."""
        await self._know_time()
        return await self._list(lambda found: found.listed_at >= requested_at)

    async def keep_time(self) -> None:
        """Ask the venue for its time when that was long ago: once, however many want it, and not
        soon after it failed to tell while one is known."""
        if not self._purse.time.stale or self._leaves_be():
            return
        asked_by_another = self._asking_time is not None and not self._asking_time.done()
        failure = await asyncio.shield(self._ask_time_aside())
        if failure is not None:
            raise _of_another("the time is", failure) if asked_by_another else failure

    async def _prepare(self, symbol: str, wanted: Gate) -> None:
        """Know the venue's time, its limit and that symbol."""
        await self._know_time()
        await self._know_limit(wanted)
        listing = self._listing
        if listing is None or symbol not in listing.symbols:
            # Where there is no list yet, whoever waits takes the one that comes.
            age = _LISTING_AGE if listing is None or symbol in self._missed else _AT_FIRST
            oldest = self._clock.monotonic() - age
            listing = await self._list(
                lambda found: symbol in found.symbols or found.asked_at >= oldest, wanted
            )
        if symbol not in listing.symbols:
            self._missed.add(symbol)
            raise Permanent("unknown_symbol", f"{self.profile.name} lists no {symbol}")

    async def _know_time(self) -> None:
        if not self._purse.time.known:
            await self.keep_time()
        elif self._purse.time.stale and not self._leaves_be():
            self._ask_time_aside()

    def _leaves_be(self) -> bool:
        """Whether the time that is known has to do for a while: asking for it failed."""
        return self._purse.time.known and self._clock.monotonic() < self._ask_again_at

    def _ask_time_aside(self) -> asyncio.Task[VenueFailure | None]:
        """Ask for the time while others go on."""
        if self._asking_time is None or self._asking_time.done():
            if self._asking_time is not None:
                self._asking_time.result()  # a bug ends the process, here as elsewhere
            self._asking_time = asyncio.create_task(self._ask_time())
        return self._asking_time

    async def _ask_time(self) -> VenueFailure | None:
        """Why it was not told, where it was not."""
        try:
            while self._purse.time.stale:  # once more where the clock is set meanwhile
                answer = await self._asking.ask(Query("time", self._exchange.time, _as_it_is))
                self._purse.learn_time(answer.said, answer.used)
                self._ask_again_at = float("-inf")
        except VenueFailure as failure:
            if not isinstance(failure, NotSent):
                self._ask_again_at = self._clock.monotonic() + _ASK_AGAIN_SECONDS
            return failure
        return None

    async def _know_limit(self, wanted: Gate) -> None:
        """Read the limit again that was stated before the venue last refused something, to whom
        ever: it may be another since. Where that fails, the one that is known has to do for a
        while."""
        listing, refused_at = self._listing, self._purse.refused_at
        if listing is None or not listing.states_limit or listing.asked_at >= refused_at:
            return
        if self._clock.monotonic() < self._read_again_at:
            return
        try:
            await self._list(lambda found: found.asked_at >= refused_at, wanted)
        except (BackingOff, Unsure, Unwanted):
            raise
        except VenueFailure:
            self._read_again_at = self._clock.monotonic() + _ASK_AGAIN_SECONDS

    async def _list(self, will_do: Callable[[Listing], bool], wanted: Gate = always) -> Listing:
        """The markets, by a list that will do. Who has waited while they were asked for shares what
        became of it, unless it says something of that other's job alone."""
        since = self._clock.monotonic()
        async with self._listing_lock:
            if self._listing is not None and will_do(self._listing):
                return self._listing
            failed_at, shared = self._listing_failed
            if failed_at > since:
                raise _of_another("the markets are", shared)
            listed_at, asked_at = self._clock.now(), self._clock.monotonic()
            query = Query("exchange_info", self._exchange.markets, _as_it_is, wanted)
            try:
                said = (await self._asking.ask(query)).said
            except (Unsure, Unwanted):
                raise
            except VenueFailure as failure:
                self._listing_failed = self._clock.monotonic(), failure
                raise
            self._purse.state_capacity(said.capacity)
            self._listing = Listing(
                said.markets,
                frozenset(market.symbol for market in said.markets),
                frozenset(market.symbol for market in said.markets if not market.active),
                listed_at,
                asked_at,
                states_limit=said.capacity is not None,
            )
            return self._listing

    def _exchange_time(self, steady: float) -> datetime:
        """The earliest exchange time it can have been then."""
        earliest = self._purse.time.instant_at(steady).earliest
        if earliest is None:
            raise Undated("a clock was set, and the venue's time is to be asked again")
        return moment(earliest)


def _of_another(what: str, failure: VenueFailure) -> VenueFailure:
    """What a question that another has asked means here: one bad answer uses up one attempt."""
    if isinstance(failure, Transient | Permanent):
        return Away(f"{what} not known: {failure}", FIRST_SECONDS)
    return failure


def _as_it_is(answer: Answer[T]) -> Answer[T]:
    return answer
