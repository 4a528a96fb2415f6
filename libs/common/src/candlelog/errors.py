"""The errors of Candlelog, drawn once.

CandlelogError
├── Unavailable      the log or a store is away: retried with back-off, holds the partition
├── Fenced           a newer writer has taken over: step down
├── Fatal            this process cannot go on; its supervisor starts it anew
├── Invalid          input that breaks a rule; the message says which and what to do
└── Misconfigured    settings that cannot work: the process says so and does not start
"""


class CandlelogError(Exception):
    """Base of every error of ours; its text is fit to show to a user."""


class Unavailable(CandlelogError):
    """The log or a store cannot be reached now; the same call may work later."""


class Fenced(CandlelogError):
    """A newer writer holds what this one held; it must step down and not come back at once."""


class Fatal(CandlelogError):
    """This process cannot do its work any more and must end; a fresh one may."""


class Invalid(CandlelogError):
    """Input that breaks a rule."""


class Misconfigured(CandlelogError):
    """Settings that cannot work."""
