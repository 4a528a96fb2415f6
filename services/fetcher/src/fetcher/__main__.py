"""The fetcher: settings, adapters, run."""

from random import Random

from candlelog.entry import Runtime, run
from fetcher.adapters.exchange import open_exchange
from fetcher.ports import OpenExchange
from fetcher.service import serve
from fetcher.settings import Settings


def _exchanges(runtime: Runtime, settings: Settings) -> OpenExchange:
    return lambda venue: open_exchange(
        venue,
        origin=settings.origins.get(venue.name),
        clock=runtime.clock,
        connections=settings.concurrency,
    )


async def main(runtime: Runtime, settings: Settings) -> None:
    """Fetch until told to stop."""
    await serve(runtime, settings, _exchanges(runtime, settings), Random())


if __name__ == "__main__":
    run("fetcher", Settings, main)
