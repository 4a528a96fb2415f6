"""Which feature set is meant."""

from pydantic import BaseModel, ConfigDict

from candlelog.events.fields import Name, Ordinal, Positive


class FeatureSetRef(BaseModel):
    """A feature set by name and version; the definition is data that services are started with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    version: Positive

    @property
    def text(self) -> str:
        """The text form: `default/1`."""
        return f"{self.name}/{self.version}"


DEFAULT = FeatureSetRef(name="default", version=1)
"""What `features: true` of a job asks for."""


class FeatureBuildRef(BaseModel):
    """A version of a feature set, computed once: the number of the build counts how often."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Positive
    build: Ordinal
