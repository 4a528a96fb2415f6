"""A feature set: its indicators, their parameters, and the columns they fill."""

import re
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
)

from candlelog.events.feature_sets import FeatureSetRef
from candlelog.events.features import KEY_COLUMNS, is_feature_name

CandleColumn = Literal["open", "high", "low", "close", "volume"]

_SET_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")


def _set_name(name: str) -> str:
    if not _SET_NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is no name of a set; write 1 to 63 of a-z, 0-9, _ and -, a letter first"
        )
    return name


def _column(name: str) -> str:
    if name in KEY_COLUMNS:
        raise ValueError(f"{name!r} is part of the key of a feature row; choose another name")
    if not is_feature_name(name):
        raise ValueError(
            f"{name!r} is no column name; write 1 to 63 of a-z, 0-9 and _, a letter first"
        )
    return name


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"{value!r} is no number; write one without quotes")
    return value


class Indicator(BaseModel):
    """One indicator: TA-Lib's, by its name there (`EMA`), or one of our own (`log_return`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    indicator: str
    parameters: Mapping[str, Annotated[int | float, BeforeValidator(_number)]] = {}
    """By TA-Lib's names (`timeperiod`); what is not named has TA-Lib's default."""
    inputs: tuple[CandleColumn, ...] = ()
    """What it reads, where that is free to choose (`SMA` of `volume`); empty: its own choice."""
    columns: tuple[Annotated[str, AfterValidator(_column)], ...]
    """Names of its outputs, in their order."""


class FeatureSet(BaseModel):
    """A named, versioned list of indicators; what a version means never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, AfterValidator(_set_name)]
    version: int = Field(ge=1, lt=2**31, strict=True)
    features: tuple[Indicator, ...] = Field(min_length=1)

    @field_validator("features")
    @classmethod
    def _columns_once(cls, features: tuple[Indicator, ...]) -> tuple[Indicator, ...]:
        seen: set[str] = set()
        for column in (column for each in features for column in each.columns):
            if column in seen:
                raise ValueError(f"the column {column!r} stands here twice; rename one of the two")
            seen.add(column)
        return features

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a row, in order, without the key."""
        return tuple(column for each in self.features for column in each.columns)

    @property
    def ref(self) -> FeatureSetRef:
        """How events name it."""
        return FeatureSetRef(name=self.name, version=self.version)


class FeatureSets(Mapping[str, FeatureSet]):
    """The sets there are, by name: the newest version of each. `mine/2` finds that version."""

    def __init__(self, sets: Iterable[FeatureSet]) -> None:
        self.versions: Final = {each.ref: each for each in sets}
        """Every version of every set."""
        in_order = sorted(self.versions.values(), key=lambda each: each.version)
        self._newest = {each.name: each for each in in_order}
        self._by_text = {each.ref.text: each for each in in_order} | self._newest

    def __getitem__(self, text: str) -> FeatureSet:
        return self._by_text[text]

    def __iter__(self) -> Iterator[str]:
        return iter(self._newest)

    def __len__(self) -> int:
        return len(self._newest)
