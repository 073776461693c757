"""Settings files: where they lie, how they are read, how the command line changes a value.

Rules: YAML is read with the safe loader, and a key given twice is refused; an override is
KEY=VALUE, where KEY is a dotted path (a number is a place in a list) and VALUE is YAML, so
`train.epochs=3` is a number; an override never changes the mapping it was given. Whether a key
means anything is decided by RunSettings. Only `true` and `false` are truth values, as in YAML 1.2:
with YAML 1.1's `on`, `off`, `yes` and `no` a join's key `on` would be read as true; and a date is a
text, as a span is.
"""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from components.core.data_settings.spans import span_before
from components.core.errors import SettingsError

REPOSITORY = Path(__file__).resolve().parents[1]
EXAMPLES = Path(__file__).resolve().parent / "examples"
FILE_NAME = "settings.yaml"
SUFFIXES = (".yaml", ".yml")
_BOOLEAN = "tag:yaml.org,2002:bool"
_NOT_YAML_1_2 = (_BOOLEAN, "tag:yaml.org,2002:timestamp")


class _StrictLoader(yaml.SafeLoader):
    """The safe loader that refuses a key given twice."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the name and the form are PyYAML's
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NOT_YAML_1_2]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:merge" and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key.value!r} is given twice", key.start_mark
                )
            if isinstance(key.value, str):
                seen.add(key.value)
        return super().construct_mapping(node, deep)


_StrictLoader.add_implicit_resolver(
    _BOOLEAN, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def parse_yaml(text: str) -> Any:
    """Parse one YAML document safely; raise yaml.YAMLError."""
    return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a subclass of SafeLoader


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file; raise SettingsError naming the file and the line."""
    try:
        value = parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}", remedy="name another") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}{_line_of(error)}", remedy="correct the file") from None
    if not isinstance(value, dict):
        raise SettingsError(f"{path} holds no settings", remedy="write KEY: VALUE lines")
    return value


def _line_of(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "is not YAML"
    return f", line {mark.line + 1}: {problem}" if mark else f": {problem}"


def find_settings(name: str) -> Path:
    """Return the settings file of an example's name, of a folder or of a file's path."""
    path = Path(name)
    for place in (path, path / FILE_NAME):
        if place.is_file():
            return place
    examples = example_names()
    if name in examples:
        return EXAMPLES / name / FILE_NAME
    raise SettingsError(
        f"{_looked_for(name, path)}{_nearest(path, examples)}",
        remedy=f"name a settings file, its folder, or a use case: {', '.join(examples) or 'none'}",
    )


def _looked_for(name: str, path: Path) -> str:
    if path.is_dir():
        return f"the folder {name} holds no {FILE_NAME}"
    if path.suffix in SUFFIXES:
        return f"there is no file {name}"
    return f"there is no use case {name}, and no file {name} or {path / FILE_NAME}"


def _nearest(path: Path, examples: Sequence[str]) -> str:
    """Return "; did you mean ...?" for a settings file of nearly that name, or an example."""
    folder, wanted = (path, FILE_NAME) if path.is_dir() else (path.parent, path.name)
    files = {file.name: file for file in folder.glob("*") if file.suffix in SUFFIXES}
    if near := difflib.get_close_matches(wanted, files, n=1):
        return f"; did you mean {files[near[0]]}?"
    near = difflib.get_close_matches(path.name, examples, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def example_names() -> list[str]:
    """Return the examples that have a settings file, sorted."""
    return sorted(path.parent.name for path in EXAMPLES.glob(f"*/{FILE_NAME}"))


def companion_places(settings_file: Path, name: str) -> tuple[Path, Path]:
    """Return where a file that settings name may lie, the first of them first."""
    return settings_file.resolve().parent / name, REPOSITORY / name


def companion(settings_file: Path, name: str, key: str) -> Path:
    """Return the file that a settings key names; SettingsError where there is none."""
    tried = companion_places(settings_file, name)
    for path in tried:
        if path.is_file():
            return path
    raise SettingsError(
        f"{key}: there is no file {name}",
        remedy=f"name it relative to {settings_file.resolve().parent} or to {REPOSITORY}",
    )


def apply_overrides(values: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return a copy of the settings with each KEY=VALUE set."""
    changed = copy.deepcopy(dict(values))
    for override in overrides:
        key, found, text = override.partition("=")
        if not found or not all(key.split(".")):
            raise SettingsError(
                f"--set {override}: not KEY=VALUE", remedy="write it as train.epochs=3"
            )
        try:
            value = parse_yaml(text)
        except yaml.YAMLError as error:
            raise SettingsError(
                f"--set {key}: the value{_line_of(error)}", remedy="quote the value"
            ) from None
        _set(changed, key.split("."), value, key)
    return changed


def _set(target: Any, path: Sequence[str], value: Any, key: str) -> None:
    """Set a value below a mapping or a list, making the mappings on the way."""
    head, *rest = path
    if isinstance(target, list):
        if not head.isdecimal() or int(head) >= len(target):
            raise SettingsError(
                f"--set {key}: {head} is no place in a list of {len(target)}",
                remedy="count from 0, or give the whole list in YAML",
            )
        place: Any = int(head)
    elif isinstance(target, dict):
        place = head
    else:
        raise SettingsError(
            f"--set {key}: {head} lies below a value", remedy="name a key of a section"
        )
    if not rest:
        target[place] = value
        return
    if isinstance(target, dict) and target.get(place) is None:
        target[place] = {}
    _set(target[place], rest, value, key)


def window_overrides(window: str) -> list[str]:
    """Return the overrides that FIRST:LAST stands for."""
    first, found, last = window.partition(":")
    if not found or not first or not last:
        raise SettingsError(
            f"--window {window}: not FIRST:LAST", remedy="write it as 2013-01:2013-10"
        )
    return [f"window.first={first!r}", f"window.last={last!r}"]


def data_overrides(data: str, path: Path, overrides: Sequence[str]) -> list[str]:
    """Return the overrides that a SPAN to evaluate on, or FIRST:LAST, stands for.

    Where rows are split by span, the window of one span begins with the one before it, with which
    validation compares it.
    """
    if ":" in data:
        return window_overrides(data)
    source = apply_overrides(read_yaml(path), overrides).get("source")
    splits = source.get("splits") if isinstance(source, dict) else None
    by = splits.get("by", "span") if isinstance(splits, dict) else "span"
    try:
        first = span_before(data) if by == "span" else data
    except ValueError:
        raise SettingsError(
            f"--data {data}: no span", remedy="write it as 2013-11, 2013-11-30 or FIRST:LAST"
        ) from None
    return window_overrides(f"{first}:{data}")


def beam_overrides(runner: str, path: Path, overrides: Sequence[str]) -> list[str]:
    """Return the overrides that --beam-runner stands for.

    Who names an engine other than this process wants all of the work there, unless beam.work says
    otherwise in the file or in an override.
    """
    section = apply_overrides(read_yaml(path), overrides).get("beam")
    said = isinstance(section, dict) and "work" in section
    work = [] if said or runner == "FnApiRunner" else ["beam.work=all"]
    return [f"beam.runner={runner}", *work]
