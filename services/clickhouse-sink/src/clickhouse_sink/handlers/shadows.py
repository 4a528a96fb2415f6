"""Shadows are opened, exchanged with the live tables, and dropped."""

from candlelog.events.rebuild import ShadowChangedV1, ShadowRequestedV1
from candlelog.log.outcome import Done, Outcome
from candlelog.log.publish import Publisher
from candlelog.log.types import Received
from clickhouse_sink.ports import Shadows


class ChangeShadows:
    """Handles one request. All have one key: no two sinks do this at once, nor out of order."""

    def __init__(self, shadows: Shadows, publisher: Publisher) -> None:
        self._shadows = shadows
        self._publisher = publisher

    async def __call__(self, item: Received) -> Outcome:
        """Do the step, then say so. Raises `Unavailable`."""
        event = item.event
        assert isinstance(event, ShadowRequestedV1)
        match event.step:
            case "open":
                await self._shadows.open(event.number)
            case "switch" | "switch_back":
                await self._shadows.serve(event.number, rebuilt=event.step == "switch")
            case "close":
                await self._shadows.close(event.number)
        await self._publisher.publish(
            ShadowChangedV1(
                job_id=event.job_id,
                step=event.step,
                correlation_id=event.correlation_id,
                changed_at=self._publisher.clock.now(),
            )
        )
        return Done()
