"""Feature sets from YAML files: the built-in one, and those of a directory."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from candlelog.errors import Misconfigured
from candlelog.events.feature_sets import DEFAULT
from candlelog.market.feature_sets.definition import FeatureSet, FeatureSets, Indicator


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that is given twice, of which YAML's loaders keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                twice = f"{key.value} is given twice"
                raise yaml.MarkedYAMLError(problem=twice, problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def load_feature_sets(directory: Path | None) -> FeatureSets:
    """The built-in `default` and one version of a set for each `*.yaml` of the directory.

    `Misconfigured` says which file is wrong, where in it, and what to do.
    """
    built_in = files("candlelog.market.feature_sets").joinpath("default.yaml").read_text()
    sets = [_parse("built-in default.yaml", built_in)]
    origins: dict[str, str] = {}
    for path in _yaml_files(directory):
        one = _parse(str(path), _read(path))
        if one.name == DEFAULT.name:
            raise Misconfigured(f"{path}: name: 'default' is built in; give this set another name")
        if one.ref.text in origins:
            raise Misconfigured(
                f"{path}: version: {one.ref.text} is the set of {origins[one.ref.text]}; "
                "raise the version, or rename one of them"
            )
        sets.append(one)
        origins[one.ref.text] = str(path)
    return FeatureSets(sets)


def _yaml_files(directory: Path | None) -> list[Path]:
    if directory is None:
        return []
    if not directory.is_dir():
        raise Misconfigured(f"{directory}: no such directory of feature sets; create or correct it")
    return sorted(directory.glob("*.yaml"))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path}: cannot be read as UTF-8 text: {error}") from error


def _parse(origin: str, text: str) -> FeatureSet:
    try:
        document = yaml.load(text, _UniqueKeys)  # noqa: S506 - it is a SafeLoader
    except yaml.YAMLError as error:
        raise Misconfigured(f"{origin}: {_syntax(error)}; mend the YAML") from error
    if not isinstance(document, dict):
        raise Misconfigured(f"{origin}: holds no mapping; begin with name, version and features")
    try:
        return FeatureSet.model_validate(document)
    except ValidationError as error:
        raise Misconfigured(f"{origin}: {_first(error)}") from error


def _syntax(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return " ".join(str(error).split())
    return f"line {mark.line + 1}, column {mark.column + 1}: {getattr(error, 'problem', '')}"


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = first["loc"]
    return f"{_place(place)}: {_advice(first['type'], first['msg'], place)}"


def _place(parts: tuple[int | str, ...]) -> str:
    def texts() -> Iterator[str]:
        for part in parts:
            yield f"[{part}]" if isinstance(part, int) else f".{part}"

    return "".join(texts()).removeprefix(".")


def _advice(kind: str, message: str, place: tuple[Any, ...]) -> str:
    if kind == "extra_forbidden":
        fields = FeatureSet.model_fields if len(place) == 1 else Indicator.model_fields
        return f"there is no such field; there are {', '.join(fields)}"
    if kind == "missing":
        return "is missing; add it"
    return message.removeprefix("Value error, ")
