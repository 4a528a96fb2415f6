"""The base of every JSON event."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Event(BaseModel):
    """A fact or a command on the log: frozen, versioned in its class name and in `ce_type`.

    A writer that names an unknown field is refused; a reader ignores fields it does not know
    (`candlelog.events.codec.decode` validates with `extra="ignore"`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ce_type: ClassVar[str]
    topic: ClassVar[str]
    """Name of the topic, without the prefix."""

    @property
    def key(self) -> str:
        """Message key: decides the partition, hence the order."""
        raise NotImplementedError
