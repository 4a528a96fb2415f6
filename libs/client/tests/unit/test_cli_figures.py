"""Numbers as people read them."""

import pytest

from candlelog_client.cli import figures


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.4, "0s"),
        (59.4, "59s"),
        (59.6, "1m 00s"),
        (3725, "1h 02m"),
        (30 * 86_400, "30d 00h"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds, text):
    assert figures.duration(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(99.99, "99.9 %"), (100, "100.0 %"), (None, "–")])
def test_a_share_is_never_rounded_up_to_everything(value, text):
    assert figures.percent(value) == text
