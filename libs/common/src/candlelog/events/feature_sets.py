"""Which feature set is meant."""

from pydantic import BaseModel, ConfigDict, Field

from candlelog.events.fields import Name, Ordinal


class FeatureSetRef(BaseModel):
    """A feature set by name and version; the definition is data that services are started with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    version: Ordinal = Field(ge=1)

    @property
    def text(self) -> str:
        """The text form: `default/1`."""
        return f"{self.name}/{self.version}"


DEFAULT = FeatureSetRef(name="default", version=1)
"""What `features: true` of a job asks for."""


class FeatureBuildRef(BaseModel):
    """A version of a feature set, computed once: the number of the build counts how often."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Ordinal = Field(ge=1)
    build: Ordinal
