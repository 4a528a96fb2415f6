"""Pages are looked for in pieces."""

from hypothesis import given
from hypothesis import strategies as st

from status_api.domain.windows import overlap, pieces


@given(st.integers(0, 10**13), st.integers(0, 10**13), st.integers(1, 10**9))
def test_pieces_are_the_whole_in_order_and_few(start: int, size: int, first: int):
    found = list(pieces((start, start + size), first))
    ends = [start, *(end for _, end in found)]
    assert [begin for begin, _ in found] == ends[:-1]
    assert ends[-1] == start + size
    assert len(found) <= 45


def test_an_overlap_is_what_both_hold():
    assert overlap((0, 5), (3, 9)) == (3, 5)
    assert overlap((0, 3), (3, 9)) == (3, 3)
