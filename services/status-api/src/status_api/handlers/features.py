"""`/features`."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict

from candlelog.events.feature_sets import DEFAULT
from status_api.adapters.series_tables import features_of
from status_api.domain.problems import invalid_fields
from status_api.domain.suggestions import unknown_names
from status_api.domain.text import PRESENTABLE
from status_api.handlers.context import Ctx
from status_api.handlers.ranges import OneRange, answer, described

router = APIRouter(tags=["candles"])

_FeatureSetName = Annotated[
    str,
    Query(max_length=64, description="name of a set, or name and version", examples=[DEFAULT.name]),
    PRESENTABLE,
]


class FeatureRow(BaseModel):
    """The features of one candle: beside these names one for each column of the set, in its order.

    A feature is null only where too few candles come before it, or where it is no number.
    """

    model_config = ConfigDict(
        json_schema_extra={"additionalProperties": {"type": ["number", "null"]}}
    )

    exchange: str
    symbol: str
    timeframe: str
    open_time: str
    feature_set: str
    version: int


class FeaturePage(BaseModel):
    """Features in time order."""

    items: list[FeatureRow]
    next: str | None


@router.get("/features", responses=described(FeaturePage), response_model=None)
async def get_features(
    ctx: Ctx, wanted: OneRange, feature_set: _FeatureSetName = DEFAULT.name
) -> Response:
    """Features of the candles with open times in `[start, end)`, in time order.

    By a name alone, those that are served; by name and version (`mine/2`) those of that version,
    also while another one is served.
    """
    known = ctx.feature_sets
    errors = unknown_names("feature_set", "unknown_feature_set", [feature_set], known)
    if errors:
        raise invalid_fields(errors)
    name, _, version = feature_set.partition("/")
    builds = ctx.history.builds
    found = await builds.readable(wanted.series, name, int(version) if version else None)
    meant = known[feature_set]
    shown = meant if found is None else known.get(f"{name}/{found.version}", meant)
    stored = await builds.columns(shown.columns)
    table = features_of(shown, found, stored)
    return await answer(ctx, partial(ctx.history.rows, table, wanted.series), wanted)
