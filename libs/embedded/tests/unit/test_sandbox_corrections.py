"""Minutes that the venue corrects."""

import numpy as np

from candlelog_embedded.sandbox.columns import VOLUME
from candlelog_embedded.sandbox.corrections import Corrections
from candlelog_embedded.sandbox.generator import GeneratedMarket

START = 1_717_200_000_000
END = START + 10_000 * 60_000
MARKET = GeneratedMarket("SYNAUSDT")


def steps(share: float, number: int) -> np.ndarray:
    """By how many steps each minute is more than it was at first."""
    source = Corrections(share, number).of(MARKET, "SYNAUSDT")
    return source.minutes(START, END).values[VOLUME] - MARKET.minutes(START, END).values[VOLUME]


def test_before_the_first_round_nothing_is_corrected():
    assert not steps(0.5, 0).any()


def test_a_share_of_the_minutes_is_corrected():
    assert 0.008 < steps(0.01, 1).mean() < 0.012


def test_in_the_second_round_half_is_corrected_again_and_half_is_back():
    first, second = steps(0.2, 1), steps(0.2, 2)
    assert set(second[first == 1]) == {0, 2}
    assert not second[first == 0].any()
    assert 0.4 < (second[first == 1] == 2).mean() < 0.6


def test_each_symbol_has_corrections_of_its_own():
    other = Corrections(0.2, 1).of(MARKET, "SYNBUSDT").minutes(START, END).values[VOLUME]
    assert not np.array_equal(
        other, Corrections(0.2, 1).of(MARKET, "SYNAUSDT").minutes(START, END).values[VOLUME]
    )
