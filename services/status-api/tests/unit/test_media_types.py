"""What a client accepts is weighed as HTTP says."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from status_api.domain.media_types import most_wanted
from status_api.domain.problems import Problem

JSON, CSV = OFFERED = ("application/json", "text/csv")


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/csv", CSV),
        ("Text/CSV; header=present", CSV),
        ("text/*", CSV),
        ("text/csv, */*", CSV),
        ("text/csv, application/json", CSV),
        ("application/json, text/csv", JSON),
        ("text/csv;q=0, application/json", JSON),
        ("text/csv;q=0, */*", JSON),
        ("application/json;q=0.1, text/csv;q=0.9", CSV),
        ("application/json;q=0, */*;q=0.001", CSV),
        ("application/vnd.apache.parquet, */*;q=0.5", JSON),
        ("text/html, text/csvx, text/csv;q=0.5", CSV),
        ("text/csv;q=nan, application/json;q=0.1", JSON),
        (",;q=1,", JSON),
    ],
)
def test_the_type_with_the_highest_weight_is_sent(accept: str, expected: str):
    assert most_wanted(accept, OFFERED) == expected


@pytest.mark.parametrize(
    "accept",
    ["application/vnd.apache.parquet", "*/*;q=0", "text/csv;q=0.000", "text/csvx", "csv"],
)
def test_where_none_is_allowed_it_is_said_which_there_are(accept: str):
    with pytest.raises(Problem) as caught:
        most_wanted(accept, OFFERED)
    assert (caught.value.status, caught.value.code) == (406, "not_acceptable")
    assert CSV in caught.value.detail


@given(accept=st.text(alphabet='*/;,=q01. texcsv"\\', max_size=60))
def test_whatever_is_sent_it_is_answered(accept: str):
    with suppress(Problem):
        assert most_wanted(accept, OFFERED) in OFFERED
