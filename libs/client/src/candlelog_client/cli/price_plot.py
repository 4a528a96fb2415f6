"""Closing prices drawn with characters."""

import numpy as np
import plotext
import pyarrow as pa
from rich.text import Text

_HEIGHT = 20
_TIME_TICKS = 5
_PRICE_TICKS = 6


def draw(table: pa.Table, *, title: str, width: int) -> Text:
    """A line of the `close` column over `open_time`; at least one row, sorted by time."""
    seconds = table["open_time"].cast(pa.int64()).to_numpy() / 1000
    prices = table["close"].to_numpy()
    figure = plotext.figure
    figure.clear()
    figure.plot_size(width, _HEIGHT)
    figure.theme("colorless")
    figure.title(title)
    line = figure.signal(seconds.tolist(), prices.tolist(), marker="braille")
    figure.draw(line.lines().density("full"))
    at = np.linspace(seconds[0], seconds[-1], _TIME_TICKS)
    figure.ruler("x").ticks(at.tolist(), _times(at))
    levels = np.linspace(prices.min(), prices.max(), _PRICE_TICKS)
    figure.ruler("y").ticks(levels.tolist(), [_price(level) for level in levels.tolist()])
    return Text.from_ansi(str(figure.build()))


def _times(seconds: np.ndarray) -> list[str]:
    moments = seconds.astype("datetime64[s]").tolist()
    return [f"{moment:%m-%d %H:%M}" for moment in moments]


def _price(value: float) -> str:
    return f"{value:,.2f}" if abs(value) >= 100 else f"{value:.6g}"
