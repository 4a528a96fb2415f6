"""Where files of candles lie: a folder or an HTTP address; which there are, and what is in them."""
