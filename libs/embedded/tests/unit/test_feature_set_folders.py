"""A folder of feature sets is judged before anything starts."""

from pathlib import Path

import pytest

from candlelog.errors import Misconfigured
from candlelog_embedded.feature_sets import check_feature_sets

MINE = """
name: mine
version: 1
features:
  - {indicator: INDICATOR, columns: [rsi_5]}
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [", r"mine\.yaml: line 1"),
        (MINE.replace("INDICATOR", "OBV"), r"feature set mine/1: features\[0\]: OBV"),
        (MINE.replace("INDICATOR", "RSY"), r"feature set mine/1: features\[0\]: RSY"),
    ],
)
def test_a_feature_set_that_is_wrong_is_refused_before_anything_starts(
    tmp_path: Path, text: str, said: str
):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(Misconfigured, match=said):
        check_feature_sets(str(tmp_path))


def test_a_folder_of_feature_sets_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(Misconfigured, match="no such directory of feature sets"):
        check_feature_sets(str(tmp_path / "nowhere"))
