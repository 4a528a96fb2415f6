"""Kraken's limit: a counter that rises with each request and falls as time passes."""

from dataclasses import dataclass

from candlelog_embedded.sandbox.limiter import Limiter, Rules, Verdict


@dataclass(frozen=True, slots=True)
class CounterRules:
    """The counter may rise to `burst`, None for no limit, and falls by `decay` a second."""

    burst: float | None = 3.0
    decay: float = 1.0


class Counter(Limiter):
    """Counts by arrival like the others, but refuses by the height of the counter. What it refuses
    does not raise it."""

    def __init__(self) -> None:
        super().__init__(Rules(capacity=None))
        self.counter_rules = CounterRules()
        self._height = 0.0
        self._at = 0

    def arrive(self, weight: int, now: int) -> Verdict:
        """Count one request of that weight and judge it."""
        verdict = super().arrive(weight, now)
        if verdict is not Verdict.ADMITTED:
            return verdict
        rules = self.counter_rules
        fallen = rules.decay * max(0, now - self._at) / 1000
        self._height, self._at = max(0.0, self._height - fallen), now
        if rules.burst is not None and self._height + weight > rules.burst:
            self._window(now).limited += 1
            return Verdict.LIMITED
        self._height += weight
        return Verdict.ADMITTED

    def forget(self) -> None:
        """Begin counting anew, without a ban."""
        super().forget()
        self._height = 0.0
