"""What the sandbox exchange counted, by arrival: independent of what Candlelog thinks."""

from dataclasses import dataclass

import httpx


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Requests and weight since the start; `heaviest` is the most weight of one minute."""

    requests: int
    weight: int
    heaviest: int
    refused: int


async def arrivals(url: str) -> Arrivals:
    """The counts of the sandbox at `url`."""
    async with httpx.AsyncClient(trust_env=False) as client:
        response = await client.get(f"{url}/_sandbox/stats", params={"arrivals": "0"})
    stats = response.raise_for_status().json()
    weights = [window["weight"] for window in stats["windows"]]
    return Arrivals(
        requests=sum(stats["requests"].values()),
        weight=sum(weights),
        heaviest=max(weights, default=0),
        refused=stats["violations"],
    )
