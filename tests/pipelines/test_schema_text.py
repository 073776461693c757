"""A schema's text: written in one form, changed in place, and refused by file and line."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2

from components.core.errors import SettingsError
from components.validate_examples.schema import parse_part as parse
from pipelines.schema_text import change, read_schema, write

FLIGHTS = Path(__file__).parents[2] / "schemas" / "datasets" / "flights.pbtxt"
BY_HAND = """\
# Curated by a person.
#
# Second line.

feature { name: "b" type: INT }  # beside b
feature: <
  name: 'd'  # braces in a comment: } {
  domain: "d"
  type: BYTES
>
# above the environments
default_environment: "training"
string_domain { name: "d" value: "}" value: "#" }
"""


def test_the_flights_schema_is_written_as_it_stands() -> None:
    text = FLIGHTS.read_text()
    body = text[text.index("feature {") :]
    written = write(read_schema(FLIGHTS), "one\n\ntwo")
    assert written.startswith("# one\n#\n# two\n")
    ours = written[written.index("feature {") :]
    assert ours == body


def test_a_change_of_nothing_keeps_every_byte() -> None:
    for text in (FLIGHTS.read_text(), BY_HAND):
        assert change(text, parse(text, "it")) == text


def test_a_change_touches_what_differs_and_nothing_else() -> None:
    changed = parse(BY_HAND, "it")
    changed.feature[0].presence.min_fraction = 0.5
    changed.feature.add(name="c", type=schema_pb2.FLOAT)
    changed.string_domain[0].value.append("ü")
    assert change(BY_HAND, changed) == BY_HAND.replace(
        'feature { name: "b" type: INT }  # beside b\n',
        'feature {\n  name: "b"\n  type: INT\n  presence { min_fraction: 0.5 }\n}  # beside b\n'
        'feature {\n  name: "c"\n  type: FLOAT\n}\n',
    ).replace(
        'string_domain { name: "d" value: "}" value: "#" }',
        'string_domain {\n  name: "d"\n  value: "}"\n  value: "#"\n  value: "ü"\n}',
    )


def test_what_is_gone_is_taken_out_of_the_text() -> None:
    changed = parse(BY_HAND, "it")
    del changed.feature[1]
    del changed.string_domain[:]
    text = change(BY_HAND, changed)
    assert text.startswith("# Curated by a person.\n")
    assert "'d'" not in text
    assert "string_domain" not in text
    assert "# above the environments" in text


NAMES = st.text(min_size=1, max_size=8)
FEATURES = st.dictionaries(NAMES, st.integers(1, 3), min_size=1, max_size=6)
DOMAINS = st.dictionaries(NAMES, st.lists(st.text(max_size=6), max_size=3), max_size=3)


def _schema(features: dict[str, int], domains: dict[str, list[str]]) -> schema_pb2.Schema:
    schema = schema_pb2.Schema(default_environment=["training"])
    for name, kind in features.items():
        schema.feature.add(name=name, type=kind).presence.min_count = kind
    for name, values in domains.items():
        schema.string_domain.add(name=name, value=values)
    return schema


def _parts(schema: schema_pb2.Schema) -> list[str]:
    parts = [*schema.feature, *schema.string_domain]
    return sorted(part.SerializeToString(deterministic=True).hex() for part in parts)


@given(FEATURES, DOMAINS, FEATURES, DOMAINS)
def test_any_change_of_any_text_gives_the_changed_schema(
    features: dict[str, int],
    domains: dict[str, list[str]],
    others: dict[str, int],
    other_domains: dict[str, list[str]],
) -> None:
    before = write(_schema(features, domains), "kept")
    wanted = _schema(others, other_domains)
    after = change(before, wanted)
    found = parse(after, "it")
    assert _parts(found) == _parts(wanted)
    assert list(found.default_environment) == ["training"]
    assert after.startswith("# kept\n")


def test_what_does_not_parse_is_named_by_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "shop.pbtxt"
    path.write_text('feature {\n  name: "a"\n  tpye: INT\n}\n')
    with pytest.raises(SettingsError, match=r"shop\.pbtxt, line 3: not a TFMD text proto: .*tpye"):
        read_schema(path)
    path.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match=r"shop\.pbtxt is not UTF-8"):
        read_schema(path)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('feature { name: "a" type: DECIMAL }\n', "DECIMAL"),
        ('feature { name: "a" type: INT quantum_domain { min: 1 } }\n', "quantum_domain"),
    ],
)
def test_a_schema_of_a_newer_tfmd_is_told_to_be_perhaps_one(
    tmp_path: Path, text: str, what: str
) -> None:
    path = tmp_path / "shop.pbtxt"
    path.write_text(text)
    with pytest.raises(SettingsError, match=what) as caught:
        read_schema(path)
    installed = version("tensorflow-metadata")
    assert f"newer TFMD than the tensorflow-metadata {installed} that" in str(caught.value.remedy)


def test_a_schema_without_a_feature_is_none(tmp_path: Path) -> None:
    path = tmp_path / "shop.pbtxt"
    path.write_text("# still to be written\n")
    with pytest.raises(SettingsError, match=r"shop\.pbtxt has no feature"):
        read_schema(path)


def test_a_schema_that_has_a_column_twice_is_none(tmp_path: Path) -> None:
    path = tmp_path / "shop.pbtxt"
    names = ("a", "b", "a", "c", "b")
    path.write_text("".join(f'feature {{ name: "{name}" type: INT }}\n' for name in names))
    with pytest.raises(SettingsError, match=r"shop\.pbtxt has more than one feature a, b$"):
        read_schema(path)
