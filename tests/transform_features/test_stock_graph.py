"""What a TransformGraph of TFX's may ask of a row, read from its schema before it is applied."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from components.core.artifacts import tree_digest
from components.core.errors import SettingsError
from components.transform_features.stock_graph import PARTS, graphs_named_in, stock_graph

OF_SEVERAL = {
    "two": 'shape { dim { size: 2 } } presence { min_fraction: 1.0 } name: "x" type: FLOAT',
    "any number": 'name: "x" type: FLOAT',
}
RAGGED = "represent_variable_length_as_ragged: true"


def empty_graph(folder: Path) -> str:
    """Write the files that a TransformGraph has, empty, and return its digest."""
    for part in PARTS:
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        (folder / part).touch()
    return tree_digest(folder)


@pytest.mark.parametrize("values", OF_SEVERAL)
def test_a_graph_of_several_values_in_a_row_is_refused_by_the_feature(
    tmp_path: Path, values: str
) -> None:
    import tensorflow as tf

    empty_graph(tmp_path)
    schema = f"feature {{ {OF_SEVERAL[values]} }} {RAGGED}"
    (tmp_path / "metadata/schema.pbtxt").write_text(schema)
    features = stock_graph(str(tmp_path), sha256=tree_digest(tmp_path))
    with pytest.raises(SettingsError, match="takes x with several values, and a row here has one"):
        features({"x": tf.constant([1.0, 2.0])})


def test_a_graph_in_a_package_is_found_by_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty_graph(tmp_path / "taxi_rides/graph")
    monkeypatch.syspath_prepend(tmp_path)
    features = stock_graph("package://taxi_rides/graph", sha256="0" * 64)
    with pytest.raises(SettingsError, match="is not the TransformGraph that sha256 names"):
        features({})


def test_the_graphs_of_a_module_are_named_by_their_digests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "by_two_graphs.py").write_text(
        "from components.transform_features.stock_graph import stock_graph\n"
        "first, second = stock_graph('a', sha256='b' * 64), stock_graph('b', sha256='a' * 64)\n"
        "def features(inputs):\n    return first(inputs) | second(inputs)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("by_two_graphs")
    assert graphs_named_in(["by_two_graphs"]) == ["a" * 64, "b" * 64]
    assert graphs_named_in([]) == []
