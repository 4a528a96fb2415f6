"""One request to a venue: a permit, the write, and what its fate says of venue and budget."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Final, Generic, TypeVar

from candlelog.clock import Clock
from candlelog.market.ledger import PROBE_WINDOW
from candlelog.market.profile import Call, ExchangeProfile
from fetcher.domain.failures import (
    Away,
    BackingOff,
    GrantLapsed,
    Permanent,
    RateLimited,
    Reset,
    Transient,
    Unanswered,
    Undated,
    VenueFailure,
)
from fetcher.domain.outages import Admission, Outage
from fetcher.limits.purse import Permit, Purse
from fetcher.ports import Answer, Gate

_RESETS: Final = 1
"""How often one request is written again to another connection."""

T = TypeVar("T")
U = TypeVar("U")


def always() -> None:
    """The gate of what no job may have stopped."""


@dataclass(frozen=True, slots=True)
class Query(Generic[T, U]):
    """A request, and what is to be `understood` of its answer. `wanted` is called right before it
    is written, and raises when it must not be."""

    call: Call
    request: Callable[[Gate], Awaitable[Answer[T]]]
    understood: Callable[[Answer[T]], U]
    wanted: Gate = always


class Asking:
    """Writes requests to one venue. Where an answer tells that the venue's clock was set,
    `time_lost` is called."""

    def __init__(
        self,
        profile: ExchangeProfile,
        purse: Purse,
        time_lost: Callable[[], object],
        *,
        clock: Clock,
        random: Random,
    ) -> None:
        self._weights = profile.weights
        self._purse = purse
        self._time_lost = time_lost
        self._clock = clock
        self._random = random
        self._outage = Outage()

    @property
    def trouble(self) -> str | None:
        """Why the venue is left alone, where it is."""
        opened = self._outage.failures(self._clock.monotonic())
        return f"left alone, {opened} failures in a row" if opened else None

    async def ask(self, query: Query[T, U]) -> U:
        """Write one request for one permit, as soon as there is one; what is understood of it. May
        raise `VenueFailure`.

        One that was answered by a reset is written once more, with a new permit: the venue may just
        have closed a connection that was kept open.
        """
        admission = self._outage.admit(self._clock.monotonic())
        if admission is None:
            raise self._left_alone()
        try:
            return await self._permitted(query, admission)
        finally:
            self._outage.through(admission)

    async def _permitted(self, query: Query[T, U], admission: Admission) -> U:
        resets = 0
        while True:
            permit = await self._purse.acquire(
                self._weights[query.call], for_time=query.call == "time"
            )
            asked_at = self._clock.monotonic()
            try:
                if not self._outage.holds(admission):
                    raise self._left_alone()
                return await self._write(query, permit)
            except GrantLapsed:
                continue
            except Reset as reset:
                resets += 1
                if resets > _RESETS:
                    raise self._noted(query.call, Away(str(reset)), asked_at) from reset
            except VenueFailure as failure:
                seen = self._noted(query.call, failure, asked_at)
                if seen is failure:
                    raise
                raise seen from failure
            finally:
                permit.close()

    async def _write(self, query: Query[T, U], permit: Permit) -> U:
        def gate() -> None:
            query.wanted()
            permit.use()

        answer = await query.request(gate)
        of_time = query.call == "time"
        # The window of the answer about the time is told by itself: `learn_time` takes it in.
        self._purse.heed(answer, PROBE_WINDOW if of_time else permit.window_id)
        if not (of_time or self._purse.time.known):
            self._time_lost()  # whoever waits for weight waits for it, too
        found = query.understood(answer)
        self._outage.answered(self._clock.monotonic(), candles=query.call == "klines")
        return found

    def _left_alone(self) -> BackingOff:
        return BackingOff(self._outage.wait(self._clock.monotonic()), "the venue does not answer")

    def _noted(self, call: Call, failure: VenueFailure, asked_at: float) -> VenueFailure:
        """Take in what a failure says of the venue and of its budget; what it is to who asked."""
        now = self._clock.monotonic()
        match failure:
            case RateLimited():
                self._purse.back_off(failure.seconds, str(failure))
                self._outage.answered(now, candles=False)
            case Away():
                self._outage.failed(asked_at, now, self._random.random())
                wait = self._outage.wait(now)
                failure.retry_after = failure.retry_after or wait
                if call == "klines" and not self._outage.failures(now):
                    return Unanswered(str(failure), failure.retry_after)
            case Transient():
                self._outage.erred(asked_at, now, self._random.random())
                if self._outage.failures(now):
                    return Away(str(failure), self._outage.wait(now))
            case Permanent() | Undated():
                self._outage.answered(now, candles=False)
            case _:  # nothing was sent
                pass
        return failure
