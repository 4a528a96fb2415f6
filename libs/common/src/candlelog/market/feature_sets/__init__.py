"""Feature sets: what is computed of candles, as versioned data."""

from candlelog.market.feature_sets.definition import FeatureSet, Indicator
from candlelog.market.feature_sets.loading import load_feature_sets

__all__ = ["FeatureSet", "Indicator", "load_feature_sets"]
