"""What the sandbox sends back, before and after faults have touched it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Delivery(StrEnum):
    """How an answer goes out over the connection."""

    WHOLE = "whole"
    CUT = "cut"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; `wait_seconds` pass before anything of it is sent."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    content_type: str = "application/json"
    wait_seconds: float = 0.0
    delivery: Delivery = Delivery.WHOLE
