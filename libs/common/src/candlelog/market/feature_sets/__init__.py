"""Feature sets: what is computed of candles, as versioned data."""

from candlelog.market.feature_sets.definition import FeatureSet, FeatureSets, Indicator
from candlelog.market.feature_sets.loading import load_feature_sets

__all__ = ["FeatureSet", "FeatureSets", "Indicator", "load_feature_sets"]
