"""How Binance says that a client asks too much."""

from typing import Final

from candlelog_embedded.sandbox.answers import Answer
from candlelog_embedded.sandbox.binance import failure
from candlelog_embedded.sandbox.limiter import Limiter, Verdict

_TOO_MANY: Final = -1003
_ADVICE: Final = "Please use WebSocket Streams for live updates to avoid"


def refusal(verdict: Verdict, limiter: Limiter, now: int) -> Answer:
    """The answer to a request the gate did not admit."""
    if verdict is Verdict.BANNED:
        return banned(limiter, now)
    return limited(limiter.retry_after(now))


def limited(retry_after: float | None) -> Answer:
    """429; without `Retry-After` when that is None."""
    text = f"Too much request weight used. {_ADVICE} polling the API."
    return _with_retry_after(failure(Verdict.LIMITED, _TOO_MANY, text), retry_after)


def banned(limiter: Limiter, now: int) -> Answer:
    """418 until the limiter's ban ends."""
    until = f"IP banned until {limiter.banned_until}. {_ADVICE} bans."
    answer = failure(Verdict.BANNED, _TOO_MANY, f"Way too much request weight used; {until}")
    return _with_retry_after(answer, limiter.retry_after(now))


def _with_retry_after(answer: Answer, seconds: float | None) -> Answer:
    headers = {} if seconds is None else {"Retry-After": str(round(seconds))}
    return Answer(answer.body, answer.status, headers)
