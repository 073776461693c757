"""What a TransformGraph of TFX's may ask of a row, read from its schema before it is applied."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.core.artifacts import tree_digest
from components.core.errors import SettingsError
from components.transform_features.stock_graph import PARTS, stock_graph

OF_SEVERAL = {
    "two": 'shape { dim { size: 2 } } presence { min_fraction: 1.0 } name: "x" type: FLOAT',
    "any number": 'name: "x" type: FLOAT',
}
RAGGED = "represent_variable_length_as_ragged: true"


@pytest.mark.parametrize("values", OF_SEVERAL)
def test_a_graph_of_several_values_in_a_row_is_refused_by_the_feature(
    tmp_path: Path, values: str
) -> None:
    import tensorflow as tf

    for part in PARTS:
        (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / part).touch()
    schema = f"feature {{ {OF_SEVERAL[values]} }} {RAGGED}"
    (tmp_path / "metadata/schema.pbtxt").write_text(schema)
    features = stock_graph(str(tmp_path), sha256=tree_digest(tmp_path))
    with pytest.raises(SettingsError, match="takes x with several values, and a row here has one"):
        features({"x": tf.constant([1.0, 2.0])})
