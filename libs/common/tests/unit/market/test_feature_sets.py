"""Feature sets: the built-in one, those of a directory, and what is refused."""

from pathlib import Path

import pytest

from candlelog.errors import Misconfigured
from candlelog.events.feature_sets import DEFAULT
from candlelog.market.feature_sets import Indicator, load_feature_sets

COLUMNS = (
    "return, log_return, sma_7, sma_21, sma_50, sma_200, ema_7, ema_21, ema_50, ema_200, rsi_14, "
    "macd, macd_signal, macd_histogram, bb_upper, bb_middle, bb_lower, atr_14, adx_14, "
    "stochastic_k, stochastic_d, volatility_20, volume_zscore_20, vwap_20, bars_contiguous"
)
MOMENTUM = """
name: momentum
version: 3
features:
  - {indicator: RSI, parameters: {timeperiod: 7}, columns: [rsi_7]}
  - {indicator: SMA, inputs: [volume], columns: [mean_volume]}
"""


def write(directory: Path, **files: str) -> Path:
    for name, text in files.items():
        (directory / f"{name}.yaml").write_text(text)
    return directory


def with_feature(feature: str) -> str:
    return f"name: mine\nversion: 1\nfeatures:\n  - {{indicator: RSI, columns: [r]}}\n  - {feature}"


def test_the_default_set_is_always_there():
    default = load_feature_sets(None)["default"]
    assert default.ref == DEFAULT
    assert ", ".join(default.columns) == COLUMNS


def test_a_set_of_the_directory_stands_beside_the_default(tmp_path: Path):
    sets = load_feature_sets(write(tmp_path, any_name=MOMENTUM))
    assert sorted(sets) == ["default", "momentum"]
    assert sets["momentum"].ref.text == "momentum/3"
    assert sets["momentum"].columns == ("rsi_7", "mean_volume")
    assert sets["momentum"].features[1] == Indicator(
        indicator="SMA", inputs=("volume",), columns=("mean_volume",)
    )


def test_files_of_other_kinds_are_left_alone(tmp_path: Path):
    (tmp_path / "README.md").write_text("not a set")
    assert sorted(load_feature_sets(tmp_path)) == ["default"]


def test_a_missing_directory_is_refused(tmp_path: Path):
    with pytest.raises(Misconfigured, match="nowhere: no such directory of feature sets"):
        load_feature_sets(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", "line 1, column 8: .*; mend the YAML"),
        ("name: \x07", "mend the YAML"),
        ("name: mine\nversion: 1\nname: other", "line 3, column 1: name is given twice"),
        ("? [name]\n: mine", "line 1, column 3: found unhashable key"),
        (with_feature("{indicator: EMA, columns: [a], columns: [b]}"), "columns is given twice"),
        ("", "holds no mapping; begin with name, version and features"),
        ("- name: mine", "holds no mapping"),
        ("name: mine\nversion: 1", "features: is missing; add it"),
        ("name: mine\nversion: 1\nfeatures: []", "features: .*at least 1 item"),
        ("name: Mine!\nversion: 1\nfeatures: []", "name: 'Mine!' is no name of a set; write"),
        (MOMENTUM.replace("version: 3", "version: 0"), "version: .*greater than or equal to 1"),
        (MOMENTUM.replace("version: 3", "version: true"), "version: .*valid integer"),
        (MOMENTUM + "colour: red", "colour: there is no such field; there are name, version, fea"),
        (with_feature("{columns: [a]}"), r"features\[1\]\.indicator: is missing"),
        (
            with_feature("{indicator: EMA, period: 9, columns: [a]}"),
            r"features\[1\]\.period: there is no such field; there are indicator, parameters, in",
        ),
        (
            with_feature("{indicator: EMA, parameters: {timeperiod: '9'}, columns: [a]}"),
            r"features\[1\]\.parameters\.timeperiod: '9' is no number",
        ),
        (
            with_feature("{indicator: EMA, parameters: {timeperiod: .nan}, columns: [a]}"),
            r"features\[1\]\.parameters\.timeperiod: nan is no number",
        ),
        (
            with_feature("{indicator: EMA, parameters: {timeperiod: true}, columns: [a]}"),
            r"features\[1\]\.parameters\.timeperiod: True is no number",
        ),
        (
            with_feature("{indicator: EMA, inputs: [mid], columns: [a]}"),
            r"features\[1\]\.inputs\[0\]: .*'volume'",
        ),
        (
            with_feature("{indicator: EMA, columns: [EMA_9]}"),
            r"features\[1\]\.columns\[0\]: 'EMA_9' is no column name; write 1 to 63 of a-z",
        ),
        (with_feature("{indicator: EMA, columns: ['a b']}"), "is no column name"),
        (with_feature(f"{{indicator: EMA, columns: [{'a' * 64}]}}"), "is no column name"),
        (
            with_feature("{indicator: MACD, columns: [a, revision, b]}"),
            r"features\[1\]\.columns\[1\]: 'revision' is part of the key of a feature row; choose",
        ),
        (
            with_feature("{indicator: MACD, columns: [a, r, b]}"),
            "features: the column 'r' stands here twice; rename one",
        ),
    ],
)
def test_a_set_that_is_wrong_is_refused_with_file_and_place(
    tmp_path: Path, text: str, message: str
):
    with pytest.raises(Misconfigured, match=rf"mine\.yaml: .*{message}"):
        load_feature_sets(write(tmp_path, mine=text))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path):
    (tmp_path / "bad.yaml").write_bytes(b"name: \xff")
    with pytest.raises(Misconfigured, match=r"bad\.yaml: cannot be read as UTF-8 text"):
        load_feature_sets(tmp_path)


def test_versions_of_a_set_stand_beside_each_other_and_its_name_means_the_newest(tmp_path: Path):
    older, newer = MOMENTUM.replace("version: 3", "version: 9"), MOMENTUM.replace(": 3", ": 10")
    sets = load_feature_sets(write(tmp_path, a=newer, b=older))
    assert sorted(sets) == ["default", "momentum"]
    assert sets["momentum"].version == 10
    assert sets["momentum/9"].version == 9
    assert "momentum/3" not in sets
    assert {ref.text for ref in sets.versions} == {"default/1", "momentum/9", "momentum/10"}


def test_a_second_file_of_the_same_version_is_refused(tmp_path: Path):
    write(tmp_path, a=MOMENTUM, b=MOMENTUM.replace("timeperiod: 7", "timeperiod: 8"))
    message = r"b\.yaml: version: momentum/3 is the set of .*a\.yaml; raise the version"
    with pytest.raises(Misconfigured, match=message):
        load_feature_sets(tmp_path)


def test_the_default_set_cannot_be_redefined(tmp_path: Path):
    write(tmp_path, mine=MOMENTUM.replace("name: momentum", "name: default"))
    with pytest.raises(Misconfigured, match=r"mine\.yaml: name: 'default' is built in; give this"):
        load_feature_sets(tmp_path)
