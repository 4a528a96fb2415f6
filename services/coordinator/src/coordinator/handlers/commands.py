"""Commands about jobs: each is decided in one transaction of its own, in order."""

import asyncio
from collections.abc import Sequence

from candlelog.clock import Clock
from candlelog.errors import Invalid
from candlelog.events.fetch import MarketsRequestedV1
from candlelog.events.jobs import (
    FillGapsV1,
    ListMarketsV1,
    PlanJobV1,
    ReplayCandlesV1,
    ReplayFeaturesV1,
    SteerJob,
    SubmitJobV1,
    SwitchReplayV1,
)
from candlelog.log.outcome import CONSUMED, Done, Outcome, Reject
from candlelog.log.types import Received
from candlelog.market.profile import profile
from candlelog.stores.transactions import Transactions
from coordinator.handlers.plans import Plans
from coordinator.handlers.replays import Replays
from coordinator.handlers.shadows import CandleReplays
from coordinator.handlers.steer import steer
from coordinator.handlers.submit import Submissions


class Commands:
    """Handles records of `jobs.commands`; each may leave work, for which others are `woken`."""

    def __init__(
        self,
        transactions: Transactions,
        submissions: Submissions,
        replays: Replays,
        candles: CandleReplays,
        *,
        plans: Plans,
        woken: Sequence[asyncio.Event],
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._submissions = submissions
        self._replays = replays
        self._candles = candles
        self._plans = plans
        self._woken = woken
        self._clock = clock

    async def __call__(self, received: Sequence[Received]) -> Sequence[Outcome]:
        """One outcome for each command. Raises `Unavailable`; what was decided stays decided."""
        outcomes: list[Outcome] = []
        for one in received:
            outcomes.append(await self._handle(one))
            for event in self._woken:
                event.set()
        return outcomes

    async def _handle(self, received: Received) -> Outcome:
        match received.event:
            case SubmitJobV1() | FillGapsV1() | ReplayFeaturesV1() as command:
                return await self._submissions.submit(received, command)
            case PlanJobV1() as command:
                return await self._plans.ask(received, command)
            case ReplayCandlesV1() as command:
                return await self._candles.submit(received, command)
            case SwitchReplayV1() | SteerJob() as command:
                return await self._decide(received, command)
            case ListMarketsV1() as command:
                return await self._list_markets(received, command)
            case _:
                return Reject(f"{received.envelope.type} is no command of this topic")

    async def _decide(self, received: Received, command: SwitchReplayV1 | SteerJob) -> Outcome:
        if isinstance(command, SteerJob):
            return await self._steer(received, command)
        outcome = await self._candles.switch(received, command)
        return outcome or await self._replays.switch(received, command)

    async def _steer(self, received: Received, command: SteerJob) -> Outcome:
        if command.symbols or command.tasks:
            await self._submissions.hurry(received, command.job_id)
        async with self._transactions.begin() as transaction:
            if not all(await transaction.fresh([received])):
                return CONSUMED
            await steer(transaction, command, self._clock.now())
        return Done()

    async def _list_markets(self, received: Received, command: ListMarketsV1) -> Outcome:
        try:
            profile(command.exchange)
        except Invalid as error:
            return Reject(str(error))
        async with self._transactions.begin() as transaction:
            if not all(await transaction.fresh([received])):
                return CONSUMED
            transaction.say(
                MarketsRequestedV1(exchange=command.exchange, requested_at=command.requested_at)
            )
        return Done()
