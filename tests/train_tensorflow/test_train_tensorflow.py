"""train_tensorflow writes a proven bundle whose bytes repeat, and never needs PyTorch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from handmade_bundles import ROWS, without_a_row

from components.core.artifacts import manifest
from components.core.bundle import Bundle, OnnxScorer
from components.core.errors import DataError, SettingsError
from components.core.features import FeatureSpec
from components.core.outcome import Outcome
from components.train_tensorflow.step import TrainTensorflowSettings, train_tensorflow
from components.training.parity import EDGE_ROWS

pytestmark = pytest.mark.slow
OWN = {"pytorch": "a_shop.torch:build", "tensorflow": "a_shop.keras:build"}
ROOT = Path(__file__).parents[2]


def settings(**train: Any) -> TrainTensorflowSettings:
    model = {"family": "wide_and_deep"}
    return TrainTensorflowSettings.model_validate(
        {"model": model, "train": {"epochs": 2.0, "batch_size": 100} | train}
    )


@pytest.fixture(scope="module")
def trained(
    small_features: Path, tft_graph: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Outcome, Path]:
    folder = tmp_path_factory.mktemp("tensorflow_model")
    return run(settings(), small_features, tft_graph, folder), folder


def run(values: TrainTensorflowSettings, features: Path, graph: Path, folder: Path) -> Outcome:
    return train_tensorflow(
        settings=values, features=features, transform_graph=graph, tensorflow_model=folder
    )


def run_in_a_process(features: Path, graph: Path, folder: Path, hash_seed: str) -> None:
    """Train as the stage does: a process of its own; PyTorch must not be in it.

    With hash seed 1 it is made as the executor makes a task, so the SavedModel is proven in a fork.
    """
    script = f"""
import logging
import os
import sys
logging.basicConfig(level=logging.INFO, force=True)
if {hash_seed} == 1:
    import tensorflow
    import keras
    import pyarrow
    pid = os.fork()
    if pid:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
from pathlib import Path
from components.train_tensorflow.step import TrainTensorflowSettings, train_tensorflow
outcome = train_tensorflow(
    settings=TrainTensorflowSettings.model_validate_json({settings().model_dump_json()!r}),
    features=Path({str(features)!r}), transform_graph=Path({str(graph)!r}),
    tensorflow_model=Path({str(folder)!r}),
)
assert outcome.facts["threads"] == 1
assert "tensorflow" in sys.modules
assert not {{"torch", "kfp", "tensorflow_transform"}} & set(sys.modules), sys.modules.keys()
"""
    folder.mkdir()
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, check=True, cwd=ROOT, env=environment, capture_output=True, text=True
    )
    way = "a fork of now" if hash_seed == "1" else "a new interpreter"
    assert f"saved_model is proven in {way}" in done.stderr, done.stderr


def test_the_bundle_opens_and_says_what_it_holds(trained: tuple[Outcome, Path]) -> None:
    outcome, folder = trained
    contract = Bundle.open(folder).contract
    assert (contract.framework, contract.family) == ("tensorflow", "wide_and_deep")
    assert [(f.name, f.path, f.takes, f.opset) for f in contract.forms] == [
        ("onnx", "model.onnx", "raw_rows", 18),
        ("saved_model", "saved_model", "raw_rows", None),
        ("litert", "model.tflite", "features", None),
    ]
    # Raw rows are the edge rows; features are of these and of 200 evaluation rows.
    rows = [form.parity.rows for form in contract.forms]
    assert rows == [EDGE_ROWS, EDGE_ROWS, 200 + EDGE_ROWS]
    assert {form.parity.batch_sizes for form in contract.forms} == {(1, 7, 1024)}
    assert "FULLY_CONNECTED" in contract.form("litert").operators["builtin"]
    assert "ParseExampleV2" in contract.form("saved_model").operators["tensorflow"]
    assert outcome.metadata == {"tensorflow_model": {"framework": "tensorflow"}}
    assert outcome.facts["weights_sha256"] == contract.weights_sha256
    assert {k: outcome.facts[k] for k in ("steps", "epochs", "seed")} == {
        "steps": 14, "epochs": 2, "seed": 13,
    }  # fmt: skip
    assert outcome.facts["rows_by_split"] == {"train": 640, "eval": 200}


def test_two_processes_give_the_same_bytes_without_pytorch(
    small_features: Path, tft_graph: Path, tmp_path: Path
) -> None:
    for seed in ("1", "2"):
        run_in_a_process(small_features, tft_graph, tmp_path / seed, seed)
    assert manifest(tmp_path / "1") == manifest(tmp_path / "2")


@pytest.fixture(scope="module")
def without_saved_model(
    small_features: Path, tft_graph: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Outcome, Path]:
    folder = tmp_path_factory.mktemp("without_saved_model")
    return run(settings(forms=["litert"]), small_features, tft_graph, folder), folder


def test_the_same_process_gives_the_same_weights_again_whatever_the_forms(
    trained: tuple[Outcome, Path], without_saved_model: tuple[Outcome, Path]
) -> None:
    again = without_saved_model[0]
    assert again.facts["weights_sha256"] == trained[0].facts["weights_sha256"]


def test_another_seed_gives_other_weights(
    trained: tuple[Outcome, Path], small_features: Path, tft_graph: Path, tmp_path: Path
) -> None:
    other = run(settings(seed=14, forms=[]), small_features, tft_graph, tmp_path)
    assert other.facts["weights_sha256"] != trained[0].facts["weights_sha256"]


def test_both_forms_score_raw_rows_alike(trained: tuple[Outcome, Path]) -> None:
    import tensorflow as tf

    bundle = Bundle.open(trained[1])
    rows = {
        "delay": np.array([60.0, np.nan], np.float32),
        "hour": np.array([17.0, np.nan], np.float32),
        "carrier": np.array(["B6", ""], object),
        "origin": np.array(["JFK", "never seen"], object),
    }
    serve = tf.saved_model.load(str(bundle.path("saved_model"))).signatures["serving_default"]
    expected = serve(**{name: tf.constant(values) for name, values in rows.items()})
    probability = OnnxScorer(bundle).score(rows)
    assert probability[0] != probability[1]
    np.testing.assert_allclose(probability, expected["probability"].numpy(), atol=1e-5)


def test_the_signature_of_examples_gives_what_the_one_of_columns_does(
    trained: tuple[Outcome, Path],
) -> None:
    from components.core.runtimes import open_saved_model

    signatures = open_saved_model(Bundle.open(trained[1]).path("saved_model"))
    rows = {
        "delay": np.array([60.0, np.nan, np.inf], np.float32),
        "hour": np.array([17.0, np.nan, 0.0], np.float32),
        "carrier": np.array(["B6", "", "\u4e16"], object),
        "origin": np.array(["JFK", "never seen", ""], object),
    }
    expected = signatures["serving_default"](rows)
    assert len(set(expected.tolist())) == 3
    np.testing.assert_array_equal(signatures["serving_examples"](rows), expected)


def test_every_form_is_timed_by_its_own_runtime_on_the_same_rows(
    trained: tuple[Outcome, Path],
) -> None:
    from components.measure_models.forms import beside, time_forms
    from components.measure_models.timing import Often

    rows = {
        "delay": np.ones(30, np.float32),
        "hour": np.ones(30, np.float32),
        "carrier": np.full(30, "B6", object),
        "origin": np.full(30, "JFK", object),
    }
    bundle = Bundle.open(trained[1])
    with beside(bundle) as process:
        assert process is None
        timed = time_forms(bundle, rows, Often(20, 8), process)
    assert list(timed) == ["onnx", "saved_model", "litert"]
    for name, form in timed.items():
        assert form["size_bytes"] == bundle.size_bytes(name)
        assert form["load_ms"] > 0
    for form in (*timed.values(), timed["onnx"]["from_features"]):
        assert form["one_row_ms"]["p50"] > 0
        assert form["batch_rows"] == 8


@pytest.mark.parametrize(
    ("column", "kind", "value", "types"),
    [
        ("delay", "int64_list", 60, "int64 but expected type: float"),
        ("delay", "bytes_list", b"60", "string but expected type: float"),
        ("carrier", "int64_list", 6, "int64 but expected type: string"),
        ("carrier", "float_list", 6.0, "float but expected type: string"),
    ],
)
def test_an_example_of_another_type_is_refused_with_the_column_and_both_types(
    trained: tuple[Outcome, Path], column: str, kind: str, value: object, types: str
) -> None:
    import tensorflow as tf

    serve = tf.saved_model.load(str(Bundle.open(trained[1]).path("saved_model")))
    example = tf.train.Example()
    getattr(example.features.feature[column], kind).value.append(value)
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"Key: {column}, .*{types}"):
        serve.signatures["serving_examples"](examples=tf.constant([example.SerializeToString()]))


RECURRENT = """
import keras
def build(spec, family, seed):
    dense = keras.Input((len(spec.dense),), name="dense")
    ids = keras.Input((len(spec.ids),), dtype="int32", name="ids")
    read = keras.layers.LSTM(4)(keras.ops.expand_dims(dense, 2))
    return keras.Model({"dense": dense, "ids": ids}, keras.layers.Dense(1, name="last")(read))
"""


def test_a_form_that_converts_and_does_not_run_is_named_with_its_operators(
    small_features: Path, tft_graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "a_recurrent_keras_model.py").write_text(RECURRENT)
    model = {"model": OWN | {"tensorflow": "a_recurrent_keras_model:build"}}
    values = settings(epochs=1, forms=["litert"]).model_dump() | model
    folder = tmp_path / "model"
    folder.mkdir()
    with pytest.raises(
        SettingsError, match=r"LiteRT lacks FlexTensorListReserve, .*FlexTensorListStack"
    ) as caught:
        run(TrainTensorflowSettings.model_validate(values), small_features, tft_graph, folder)
    assert "leave litert out of train.forms" in caught.value.remedy
    assert not (folder / "contract.json").exists()


def test_a_form_that_loads_and_fails_at_its_call_is_named_with_its_operators(
    small_features: Path, tft_graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    source = RECURRENT.replace(
        "keras.ops.expand_dims(dense, 2)", "keras.layers.Reshape((-1, 1))(dense)"
    )
    (tmp_path / "a_reshaped_keras_model.py").write_text(source)
    model = {"model": OWN | {"tensorflow": "a_reshaped_keras_model:build"}}
    values = settings(epochs=1, forms=["litert"]).model_dump() | model
    with pytest.raises(SettingsError, match="LiteRT lacks FlexTensorListReserve"):
        run(TrainTensorflowSettings.model_validate(values), small_features, tft_graph, tmp_path)


def test_what_litert_cannot_even_keep_is_named(small_spec: FeatureSpec) -> None:
    import keras
    import tensorflow as tf

    from components.train_tensorflow.litert import to_litert

    class InPython(keras.layers.Layer):
        def call(self, dense: Any) -> Any:
            return tf.ensure_shape(tf.py_function(lambda x: x, [dense], tf.float32), dense.shape)

    inputs = {
        "dense": keras.Input((2,), name="dense"),
        "ids": keras.Input((2,), dtype="int32", name="ids"),
    }
    model = keras.Model(inputs, keras.ops.sum(InPython()(inputs["dense"]), axis=1))
    with pytest.raises(SettingsError, match=r"litert: LiteRT lacks tf\.EagerPyFunc$") as caught:
        to_litert(model, small_spec)
    assert "leave litert out of train.forms" in caught.value.remedy


def test_a_form_that_is_left_out_is_not_written(
    without_saved_model: tuple[Outcome, Path],
) -> None:
    folder = without_saved_model[1]
    assert [form.name for form in Bundle.open(folder).contract.forms] == ["onnx", "litert"]
    assert not (folder / "saved_model").exists()


def test_no_path_of_the_repository_is_inside_the_bundle(trained: tuple[Outcome, Path]) -> None:
    paths = [os.fsencode(path) for path in (ROOT, Path(sys.prefix), trained[1])]
    for file in (path for path in trained[1].rglob("*") if path.is_file()):
        content = file.read_bytes()
        assert not [path for path in [*paths, b"site-packages"] if path in content], file


def test_a_transform_that_differs_from_its_onnx_form_stops_the_stage(
    small_features: Path, tft_graph: Path, tmp_path: Path
) -> None:
    graph = shutil.copytree(tft_graph, tmp_path / "graph")
    vocabulary = graph / "transform_fn" / "assets" / "carrier"
    vocabulary.write_text("UA\nB6\nAA\n")
    (tmp_path / "model").mkdir()
    with pytest.raises(SettingsError, match="saved_model form differs"):
        run(settings(epochs=1, forms=["saved_model"]), small_features, graph, tmp_path / "model")
    assert not (tmp_path / "model" / "contract.json").exists()


def test_a_learning_rate_that_explodes_stops_with_the_batch(
    small_features: Path, tft_graph: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"the loss is (nan|inf) at batch \d+ of epoch \d+"):
        run(settings(learning_rate=1e38), small_features, tft_graph, tmp_path)


def test_a_model_that_gives_no_logit_is_a_settings_error(
    small_features: Path, tft_graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    source = """
import keras
def build(spec, family, seed):
    dense = keras.Input((len(spec.dense),), name="dense")
    ids = keras.Input((len(spec.ids),), dtype="int32", name="ids")
    return keras.Model({"dense": dense, "ids": ids}, keras.ops.sum(dense, axis=1))
"""
    (tmp_path / "a_flat_keras_model.py").write_text(source)
    values = settings().model_dump() | {"model": OWN | {"tensorflow": "a_flat_keras_model:build"}}
    with pytest.raises(SettingsError, match=r"gives \[2\] for two rows"):
        run(TrainTensorflowSettings.model_validate(values), small_features, tft_graph, tmp_path)


OTHER_MODELS = {
    "None": "the model function .* returns nothing, not a keras Model",
    "keras.Model(wind, keras.layers.Dense(1)(wind))": "gives no output: ",
    "keras.Model(both, [logit, logit])": "gives a list for two rows, not a logit",
    "keras.Model(both, keras.ops.sum(keras.layers.Embedding(3, 1)(ids), axis=1))": (
        "does not take the ids of origin|does not take the ids of carrier"
    ),
}


@pytest.mark.parametrize("returned", OTHER_MODELS)
def test_what_is_no_model_of_these_features_is_a_settings_error(
    small_features: Path,
    tft_graph: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    returned: str,
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"a_keras_model_of_{list(OTHER_MODELS).index(returned)}"
    source = f"""
import keras
def build(spec, family, seed):
    dense = keras.Input((len(spec.dense),), name="dense")
    ids = keras.Input((len(spec.ids),), dtype="int32", name="ids")
    both, logit = {{"dense": dense, "ids": ids}}, keras.layers.Dense(1, name="last")(dense)
    wind = keras.Input((7,), name="wind")
    return {returned}
"""
    (tmp_path / f"{name}.py").write_text(source)
    values = settings().model_dump() | {"model": OWN | {"tensorflow": f"{name}:build"}}
    with pytest.raises(SettingsError, match=OTHER_MODELS[returned]):
        run(TrainTensorflowSettings.model_validate(values), small_features, tft_graph, tmp_path)


def test_a_transform_graph_without_a_vocabulary_is_refused(
    small_features: Path, tft_graph: Path, tmp_path: Path
) -> None:
    graph, folder = tmp_path / "graph", tmp_path / "model"
    shutil.copytree(tft_graph, graph)
    folder.mkdir()
    next(graph.glob("transform_fn/assets/*")).unlink()
    with pytest.raises(DataError, match="or one of its vocabularies") as caught:
        run(settings(epochs=1), small_features, graph, folder)
    assert caught.value.remedy == "run transform_features again"


def test_a_model_that_raises_is_named_with_its_line(
    small_features: Path, tft_graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    source = """
import keras
class Narrow(keras.Model):
    def call(self, inputs):
        return inputs["wind"]
def build(spec, family, seed):
    return Narrow()
"""
    (tmp_path / "a_narrow_keras_model.py").write_text(source)
    values = settings().model_dump() | {"model": OWN | {"tensorflow": "a_narrow_keras_model:build"}}
    with pytest.raises(
        SettingsError, match=r": a_narrow_keras_model\.py, line 5, `return .*`: KeyError: "
    ):
        run(TrainTensorflowSettings.model_validate(values), small_features, tft_graph, tmp_path)


FAILING = """
import sys
import keras
import tensorflow as tf
class Failing(keras.Model):
    def __init__(self):
        super().__init__()
        self.last = keras.layers.Dense(1)
    def call(self, inputs):
        known = tf.gather(tf.constant([0.0]), tf.cast(tf.shape(inputs["dense"])[0] > 2, tf.int32))
        return self.last(inputs["dense"]) + known
class Leaving(Failing):
    def call(self, inputs):
        if inputs["dense"].shape[0] is None:
            sys.exit(1)
        return self.last(inputs["dense"])
def fails(spec, family, seed):
    return Failing()
def leaves(spec, family, seed):
    return Leaving()
"""


@pytest.mark.parametrize(
    ("function", "line"),
    [("fails", r"line 10, `known = .*`"), ("leaves", r"line 15, `sys.exit\(1\)`: SystemExit$")],
)
def test_a_model_that_fails_on_rows_or_ends_the_process_is_named_with_its_line(
    small_features: Path,
    tft_graph: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    line: str,
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "a_failing_keras_model.py").write_text(FAILING)
    values = settings().model_dump() | {
        "model": OWN | {"tensorflow": f"a_failing_keras_model:{function}"}
    }
    with pytest.raises(SettingsError, match=rf"a_failing_keras_model\.py, {line}"):
        run(TrainTensorflowSettings.model_validate(values), small_features, tft_graph, tmp_path)


@pytest.mark.parametrize("split", ["train", "eval"])
def test_features_with_a_row_missing_are_refused(
    small_features: Path, tft_graph: Path, tmp_path: Path, split: str
) -> None:
    features = without_a_row(small_features, tmp_path / "features", split)
    rows = ROWS[split]
    with pytest.raises(DataError, match=f"has {rows - 1} rows, not the {rows} of features"):
        run(settings(), features, tft_graph, tmp_path)
    assert not (tmp_path / "contract.json").exists()


def test_the_module_of_the_model_function_is_part_of_the_cache_key() -> None:
    own = TrainTensorflowSettings.model_validate({"model": OWN, "train": {}})
    assert own.user_modules() == ["a_shop.keras"]
    assert settings().user_modules() == ["components.train_tensorflow.families.wide_and_deep"]
