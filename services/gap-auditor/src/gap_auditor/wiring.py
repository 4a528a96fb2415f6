"""The loops of a gap auditor over its adapters."""

import asyncio
from random import Random
from typing import Final

from candlelog.events.topics import JOBS_COMMANDS, PROGRESS
from candlelog.lifecycle import VERSION, Runtime
from candlelog.log.consume import ConsumeLoop
from candlelog.log.dead_letters import DeadLetters
from candlelog.log.handling import Handle
from candlelog.log.pace import Paced
from candlelog.log.ports import Consumer
from candlelog.stores.outbox import Relay
from candlelog.stores.transactions import Transactions
from candlelog.woken import WokenLoop
from gap_auditor.handlers.audits import Audits
from gap_auditor.handlers.repairs import Repairs
from gap_auditor.handlers.rereads import Rereads
from gap_auditor.handlers.resume import resume
from gap_auditor.ports import Slots

_BATCH: Final = 200
"""Events of one transaction: as many tasks may end with it, and be audited in it."""
_PACE_SECONDS: Final = 1.0
"""Between two audits: the engine takes a twentieth of a second to plan one, whatever it is of."""

_DUE_SECONDS: Final = 2.0
"""How often to look for what is due to be read again."""


class GapAuditor:
    """Four loops: progress, commands, what is due to be read again, and the outbox."""

    def __init__(
        self, transactions: Transactions, slots: Slots, relay: Relay, *, tick_seconds: float
    ) -> None:
        self._transactions = transactions
        self._slots = slots
        self._relay = relay
        self._tick_seconds = tick_seconds

    async def run(self, runtime: Runtime) -> None:
        """Audit until `runtime.stopping` is set."""
        transactions, clock = self._transactions, runtime.clock
        await resume(transactions, clock)
        relaying = WokenLoop(
            "outbox",
            self._relay.step,
            transactions.outbox_filled,
            service=runtime.service,
            tick_seconds=self._tick_seconds,
            random=Random(),
        )
        rereading = WokenLoop(
            "rereads",
            Rereads(transactions, clock).step,
            asyncio.Event(),
            service=runtime.service,
            tick_seconds=_DUE_SECONDS,
            random=Random(),
        )
        log, group = runtime.log, runtime.group
        async with (
            log.consumer(runtime.topics(PROGRESS.name), group) as progress,
            log.consumer(runtime.topics(JOBS_COMMANDS.name), group) as commands,
            asyncio.TaskGroup() as tasks,
        ):
            runtime.health.watch_lag(lambda: progress.lag + commands.lag)
            audits = Paced(
                Audits(transactions, self._slots, clock), clock, _PACE_SECONDS, enough=_BATCH
            )
            tasks.create_task(_loop(runtime, progress, audits).run(runtime.stopping))
            repairs = Repairs(transactions, clock)
            tasks.create_task(_loop(runtime, commands, repairs).run(runtime.stopping))
            tasks.create_task(relaying.run(runtime.stopping))
            tasks.create_task(rereading.run(runtime.stopping))
            runtime.health.started()


def _loop(runtime: Runtime, consumer: Consumer, handle: Handle) -> ConsumeLoop:
    letters = DeadLetters(runtime.publisher, service=runtime.service, version=VERSION)
    return ConsumeLoop(consumer, handle, letters, clock=runtime.clock, batch=_BATCH)
