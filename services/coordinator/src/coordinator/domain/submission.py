"""What a job must be to be planned; the API checks the same, and this is the last gate."""

from candlelog.errors import Invalid
from candlelog.events.jobs import SubmitJobV1
from candlelog.market.profile import ExchangeProfile, profile
from candlelog.market.timeframe import Timeframe


def check(command: SubmitJobV1) -> ExchangeProfile:
    """The profile of the exchange; `Invalid` says which rule the command breaks."""
    venue = profile(command.exchange)
    for name in command.timeframes:
        Timeframe.parse(name)
        if name not in venue.timeframes:
            known = ", ".join(venue.timeframes)
            raise Invalid(f"{venue.title} has no timeframe {name!r}; it has {known}")
    if command.start >= command.end:
        raise Invalid("start must be before end")
    if command.source == "archive":
        raise Invalid(f"there is no archive of {venue.title} to read from")
    if command.features:
        raise Invalid("features are not available")
    return venue
