"""Candles are rebuilt from the log in a shadow of their tables, which is exchanged when asked."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from candlelog.clock import Clock
from candlelog.errors import Unavailable
from candlelog.events.jobs import ReplayCandlesV1, SwitchAction, SwitchReplayV1
from candlelog.events.progress import JobStateChangedV1, ReplayAnsweredV1
from candlelog.events.rebuild import PartRebuiltV1, ShadowChangedV1, ShadowRequestedV1, ShadowStep
from candlelog.log.handling import Handle
from candlelog.log.outcome import CONSUMED, Done, Outcome, Reject, Skip
from candlelog.log.types import Received
from candlelog.market.states import TERMINAL, Action, Status
from candlelog.stores.transactions import Transaction, Transactions
from coordinator.adapters import shadow_rows
from coordinator.domain import announcing
from coordinator.domain.jobs import moved
from coordinator.domain.shadows import (
    PARTS,
    Phase,
    Refusal,
    Shadow,
    Span,
    recomputations,
    refusal,
    requests,
)
from coordinator.ports import Changes

_ANOTHER: Final = "another replay of candles was open"
_KNOWN: Final = Skip("there is a replay with this id")

COMPARE_SECONDS: Final = 20.0
"""How long a comparison may take: commands behind it wait, and who asked is not told for longer."""
_MISSING: Final[Refusal] = "shadow_missing", "the shadow of the candles is gone: close the replay"
_FAILED: Final[Refusal] = "comparison_failed", "the candles could not be compared: try again later"


class CandleReplays:
    """Decides about commands. The log reads its order: open, the log, the store, and then steps."""

    def __init__(self, transactions: Transactions, changes: Changes, clock: Clock) -> None:
        self._transactions = transactions
        self._changes = changes
        self._clock = clock

    async def submit(self, received: Received, command: ReplayCandlesV1) -> Outcome:
        """Have the sink open a shadow, unless one is. Raises `Unavailable`."""
        async with self._transactions.begin() as transaction:
            connection = transaction.connection
            if not all(await transaction.fresh([received])):
                # Whoever refused it may have ended before its dead letter was written.
                known = await shadow_rows.read(connection, command.job_id)
                refused = known is not None and known.status is Status.FAILED
                return Reject(_ANOTHER) if refused else CONSUMED
            await shadow_rows.lock(connection)
            if await shadow_rows.read(connection, command.job_id) is not None:
                return _KNOWN
            now = self._clock.now()
            number = await shadow_rows.next_number(connection, now)
            shadow = Shadow(command.job_id, number, "opening", Status.PENDING, 0, False, None, None)
            other = await shadow_rows.open_one(connection)
            if other is not None:
                reason = f"replay {other} of candles is open: close it first"
                shadow = _moved(transaction, shadow, Action.FAIL, now=now, reason=reason)
                await shadow_rows.write(connection, replace(shadow, phase="closed"))
                return Reject(reason)
            shadow = _moved(transaction, shadow, Action.ACCEPT, now=now)
            await _ask(transaction, shadow, "open", uuid5(command.job_id, "open"))
        return Done()

    async def switch(self, received: Received, command: SwitchReplayV1) -> Outcome | None:
        """Have the sink do a step, or refuse it; None when this is no replay of candles.

        Raises `Unavailable`.
        """
        async with self._transactions.begin() as transaction:
            shadow = await shadow_rows.read(transaction.connection, command.job_id)
        if shadow is None:
            return None
        spans, refused = await self._compared(shadow, command.action)
        async with self._transactions.begin() as transaction:
            if not all(await transaction.fresh([received])):
                return CONSUMED
            await self._decide(transaction, command, spans, refused)
        return Done()

    async def _compared(
        self, shadow: Shadow, action: SwitchAction
    ) -> tuple[Sequence[Span], Refusal | None]:
        """Where features change by the action, or code and reason why it is refused.

        Whatever ClickHouse says, there is an answer: every other command waits behind this one.
        """
        if action == "close":
            return [], None
        refused = refusal(shadow, action, None)
        if refused is not None:
            return [], refused
        try:
            async with asyncio.timeout(COMPARE_SECONDS):
                spans = await self._changes.spans()
        except (Unavailable, TimeoutError):
            return [], _FAILED
        return ([], _MISSING) if spans is None else (spans, None)

    async def _decide(
        self,
        transaction: Transaction,
        command: SwitchReplayV1,
        spans: Sequence[Span],
        refused: Refusal | None,
    ) -> None:
        connection, now = transaction.connection, self._clock.now()
        await shadow_rows.lock(connection)
        shadow = await shadow_rows.read(connection, command.job_id)
        assert shadow is not None
        running = await shadow_rows.running(connection)
        refused = refused or refusal(shadow, command.action, running)
        if refused is not None:
            transaction.say(announcing.answered(command, refused, now))
            return
        if command.action == "close" and shadow.status not in TERMINAL:
            shadow = _moved(transaction, shadow, Action.CANCEL, now=now)
        await _ask(transaction, shadow, command.action, command.correlation_id)
        await shadow_rows.keep_spans(connection, shadow.job_id, spans)


class ShadowProgress:
    """Handles records of `progress`: what the sink has done leads to what it does next.

    Other events are handled by `others`. An event that comes again finds the state past it.
    """

    def __init__(self, others: Handle, transactions: Transactions, clock: Clock) -> None:
        self._others = others
        self._transactions = transactions
        self._clock = clock

    async def __call__(self, received: Sequence[Received]) -> Sequence[Outcome]:
        """One outcome for each event. Raises `Unavailable`; what was done stays done."""
        outcomes = await self._others(received)
        return [
            await self._handle(one.event)
            if isinstance(one.event, ShadowChangedV1 | PartRebuiltV1)
            else outcome
            for one, outcome in zip(received, outcomes, strict=True)
        ]

    async def _handle(self, event: ShadowChangedV1 | PartRebuiltV1) -> Outcome:
        async with self._transactions.begin() as transaction:
            await shadow_rows.lock(transaction.connection)
            shadow = await shadow_rows.read(transaction.connection, event.job_id)
            if shadow is None:
                return Skip("there is no such replay")
            if isinstance(event, PartRebuiltV1):
                await self._rebuilt(transaction, shadow, event)
            elif shadow.correlation_id == event.correlation_id and shadow.step == event.step:
                await self._changed(transaction, replace(shadow, step=None), event)
        return Done()

    async def _rebuilt(
        self, transaction: Transaction, shadow: Shadow, event: PartRebuiltV1
    ) -> None:
        connection = transaction.connection
        if not event.through or shadow.phase != event.origin or shadow.step is not None:
            return
        through = await shadow_rows.part_through(
            connection, shadow.job_id, event.origin, event.partition
        )
        if through < PARTS:
            return
        if event.origin == "log":
            await _begin(transaction, shadow, "store")
        else:
            shadow = _moved(transaction, shadow, Action.COMPLETE, now=self._clock.now())
            await shadow_rows.write(connection, replace(shadow, phase="rebuilt"))

    async def _changed(
        self, transaction: Transaction, shadow: Shadow, event: ShadowChangedV1
    ) -> None:
        connection, now = transaction.connection, self._clock.now()
        match event.step:
            case "open":
                shadow = _moved(transaction, shadow, Action.START, now=now)
                await _begin(transaction, shadow, "log")
                return
            case "close":
                await shadow_rows.write(connection, replace(shadow, phase="closed"))
            case "switch" | "switch_back":
                serving = event.step == "switch"
                await shadow_rows.write(connection, replace(shadow, serving=serving))
                spans = await shadow_rows.spans(connection, shadow.job_id)
                transaction.say(*recomputations(shadow, spans))
        transaction.say(
            ReplayAnsweredV1(
                job_id=shadow.job_id,
                correlation_id=event.correlation_id,
                action=event.step,
                accepted=True,
                code="accepted",
                reason="",
                answered_at=now,
            )
        )


async def _begin(transaction: Transaction, shadow: Shadow, phase: Phase) -> None:
    assert phase in ("log", "store")
    await shadow_rows.write(transaction.connection, replace(shadow, phase=phase))
    transaction.say(*requests(shadow, phase))


async def _ask(
    transaction: Transaction, shadow: Shadow, step: ShadowStep, correlation_id: UUID
) -> None:
    asked = replace(shadow, step=step, correlation_id=correlation_id)
    await shadow_rows.write(transaction.connection, asked)
    transaction.say(
        ShadowRequestedV1(
            job_id=shadow.job_id, number=shadow.number, step=step, correlation_id=correlation_id
        )
    )


def _moved(
    transaction: Transaction,
    shadow: Shadow,
    action: Action,
    *,
    now: datetime,
    reason: str | None = None,
) -> Shadow:
    status, version = moved(shadow.status, action), shadow.version + 1
    transaction.say(
        JobStateChangedV1(
            job_id=shadow.job_id,
            version=version,
            generation=0,
            state=status.value,
            reason=reason,
            changed_at=now,
        )
    )
    return replace(shadow, status=status, version=version)
