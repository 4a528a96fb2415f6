"""The featurizer: features of every stored candle, equal to one pass over all of them."""
