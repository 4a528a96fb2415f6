"""Why a request brought no candles, drawn once.

VenueFailure
├── Transient    the venue answered, but not with what was asked: uses up an attempt
├── Permanent    the venue will never answer this: the chunk is given up
├── Undated      a clock was set meanwhile, and what had closed is not known: goes back, too
├── Away         no answer, or "come back later": the chunk goes back, no attempt is used up
│   ├── Unanswered    these candles alone had no answer: may use up an attempt
│   ├── Reset         the connection was closed instead: may be asked once more at once
│   └── RateLimited   too much was asked: every worker stops
└── NotSent      nothing was sent
    ├── BackingOff    the venue is left alone for a while
    ├── NoBudget      no weight was granted in time
    ├── GrantLapsed   the weight may not be spent at this very moment: acquire again
    ├── StillOpen     the last candle of the chunk has not closed yet
    ├── Unsure        whether the job still runs is not known at this very moment: find out
    └── Unwanted      the job was stopped, or the chunk was superseded
"""


class VenueFailure(Exception):
    """Base of what can go wrong between us and a venue."""


class Transient(VenueFailure):
    """An answer that may be better next time. `code` is stable, the text is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Permanent(VenueFailure):
    """An answer that will always be the same. `code` is stable, the text is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Undated(VenueFailure):
    """An answer from about when a clock was set: which of its candles had closed is not known."""


class Away(VenueFailure):
    """The venue cannot be reached, or asks to come later: after `retry_after` seconds, if known."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unanswered(Away):
    """There was no answer about candles, though other requests were answered meanwhile: perhaps
    there never is one."""


class Reset(Away):
    """The venue closed the connection without an answer: perhaps one that was kept open, just
    before we wrote to it."""


class RateLimited(Away):
    """The venue says that too much was asked; `seconds` are to pass."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message, seconds)
        self.seconds = seconds


class NotSent(VenueFailure):
    """No request was written."""


class BackingOff(NotSent):
    """The venue is left alone for `seconds`: it wants to be, or does not answer."""

    def __init__(self, seconds: float, reason: str = "the venue wants to be left alone") -> None:
        super().__init__(f"{reason}: {seconds:.1f} s are to pass")
        self.seconds = seconds


class NoBudget(NotSent):
    """No weight was granted in time."""


class GrantLapsed(NotSent):
    """The weight may not be spent at this very moment."""


class StillOpen(NotSent):
    """The last candle of the chunk closes in `seconds`, by exchange time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the last candle closes in {seconds:.1f} s")
        self.seconds = seconds


class Unsure(NotSent):
    """The state of the job was not read recently enough."""


class Unwanted(NotSent):
    """The job was stopped, or the chunk was superseded."""
