"""What became of each record of a batch: handled, or given up as a dead letter."""

import traceback
from collections import Counter
from collections.abc import Sequence
from typing import Final

import structlog

from candlelog.events.codec import Decode, UndecodableError
from candlelog.log.dead_letters import DeadLetter
from candlelog.log.outcome import Outcome, Reject, Skip
from candlelog.log.receive import receive
from candlelog.log.types import Received, Record
from candlelog.telemetry import RECORDS_HANDLED

Verdict = Outcome | DeadLetter

_REASON_LIMIT: Final = 2000
_STACK_LIMIT: Final = 8000
_LOGGER: Final = structlog.get_logger()


def opened(record: Record, decode: Decode) -> Received | DeadLetter:
    """The event of a record, or the letter to bury it with."""
    try:
        return receive(record, decode)
    except UndecodableError as error:
        stack = "".join(traceback.format_exception(error))
        return DeadLetter(record, str(error)[:_REASON_LIMIT], stack[:_STACK_LIMIT])


def verdicts(
    items: Sequence[Received | DeadLetter], outcomes: Sequence[Outcome]
) -> Sequence[Verdict]:
    """One verdict for each item, in order; `outcomes` holds those of the received ones."""
    if len(outcomes) != sum(isinstance(item, Received) for item in items):
        raise ValueError(f"{len(outcomes)} outcomes: the handler owes one for each event")
    rest = iter(outcomes)
    return [item if isinstance(item, DeadLetter) else _verdict(item, next(rest)) for item in items]


def note(records: Sequence[Record], found: Sequence[Verdict]) -> None:
    """Count the verdicts and log every record that is given up."""
    counts = Counter(
        (record.partition.topic, _name(verdict))
        for record, verdict in zip(records, found, strict=True)
    )
    for (topic, outcome), count in counts.items():
        RECORDS_HANDLED.labels(topic, outcome).inc(count)
    for letter in found:
        if isinstance(letter, DeadLetter):
            topic, number = letter.record.partition
            _LOGGER.warning(
                "record_rejected",
                topic=topic,
                partition=number,
                offset=letter.record.offset,
                reason=letter.reason,
            )


def _verdict(item: Received, outcome: Outcome) -> Verdict:
    if isinstance(outcome, Reject):
        return DeadLetter(item.record, outcome.reason[:_REASON_LIMIT], event=item.event)
    return outcome


def _name(verdict: Verdict) -> str:
    if isinstance(verdict, DeadLetter | Reject):
        return "reject"
    return "skip" if isinstance(verdict, Skip) else "done"
