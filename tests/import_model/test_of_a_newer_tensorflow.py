"""A SavedModel of an operation that the installed TensorFlow lacks is refused by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.core.errors import SettingsError

pytestmark = pytest.mark.slow


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """Save a model, one operation of which has a name that this TensorFlow does not know."""
    import tensorflow as tf
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="hour")])
        def __call__(self, hour: Any) -> Any:
            return {"late": tf.sigmoid(hour)}

    model, folder = Model(), tmp_path / "newer"
    tf.saved_model.save(model, str(folder), signatures=model.__call__)
    saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    nodes = [n for f in saved.meta_graphs[0].graph_def.library.function for n in f.node_def]
    (sigmoid,) = {n.op: n for n in nodes if n.op == "Sigmoid"}.values()
    sigmoid.op = "SigmoidOf2030"
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    return folder


def test_a_saved_model_of_an_operation_that_is_not_known_here_is_refused_by_its_name(
    importing: Any, newer: Path
) -> None:
    with pytest.raises(SettingsError, match=r"does not run: .*'SigmoidOf2030'") as caught:
        importing(newer)
    assert caught.value.remedy.startswith("export it again")
