"""A preprocessing_fn of the user's: its features, its ONNX form, and the line of what fails."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from job_service import local_job_service
from transform_run import Run

from components.core.canonical import sha256_file
from components.core.data_settings import Source
from components.core.errors import DataError, SettingsError
from components.core.examples import ExamplesManifest, read_split
from components.core.features import FeatureSpec, load_split
from components.core.raw_inputs import raw_inputs
from components.core.sources import SOURCES_VARIABLE
from components.core.stage_identity import step_modules
from components.training.composition import raw_input_types
from components.transform_features.parity import OnnxTransform
from components.transform_features.step import TransformSettings, transform_features

MODULE = "a_users_transform"
USERS = """import sys
import tensorflow as tf
import tensorflow_transform as tft

def filled(x):
    return tf.where(tf.math.is_nan(x), tf.zeros_like(x), x)

def features(inputs):
    outputs = {
        "z": tft.scale_to_z_score(filled(inputs["distance"])),
        "far": tf.expand_dims(tf.cast(inputs["distance"] > 1000.0, tf.float32), 1),
        "range": tft.scale_to_0_1(filled(inputs["weather_temp"])),
        "port": tft.compute_and_apply_vocabulary(inputs["origin"], num_oov_buckets=1),
        "plane": tft.compute_and_apply_vocabulary(inputs["plane_model"], top_k=5),
        "part": tft.bucketize(inputs["hour"], 4),
    }
    return outputs

def throws(inputs):
    number = inputs["distance"]
    return {"x": number, "y": tf.reshape(number, [2, "three"])}

def refuses(values):
    raise ValueError(f"not {values[0]}")

def leaves(values):
    sys.exit(3)

def refuses_rows(inputs):
    number = tf.py_function(refuses, [inputs["distance"]], tf.float32)
    return {"x": tf.ensure_shape(number, [None])}

def leaves_at_rows(inputs):
    number = tf.numpy_function(leaves, [inputs["distance"]], tf.float32)
    return {"x": tf.ensure_shape(number, [None])}

def leaves_at_once(inputs):
    sys.exit("enough")

def reads_no_number(inputs):
    number = tf.strings.to_number(inputs["origin"])
    return {"x": number}

def reads_the_future(inputs):
    return {"x": inputs["dep_delay"]}

def reads_the_label(inputs):
    return {"x": inputs["late"]}

def gives_nothing(inputs):
    return {}

def gives_no_dictionary(inputs):
    return inputs["distance"]

def gives_text(inputs):
    return {"x": inputs["origin"]}

def gives_truth(inputs):
    return {"x": inputs["distance"] > 1.0}

def gives_sparse(inputs):
    return {"x": tf.sparse.from_dense(tf.expand_dims(inputs["distance"], 1))}

def gives_two_columns(inputs):
    return {"x": tf.stack([inputs["distance"], inputs["hour"]], axis=1)}

def copies(inputs):
    outputs = {**inputs}
    return {"x": filled(outputs["hour"])}

def leaves_gaps(inputs):
    return {"distance": inputs["distance"], "pressure": inputs["weather_pressure"]}

def gives_no_number(inputs):
    return {"distance": inputs["distance"], "root": tf.sqrt(-1.0 - inputs["distance"])}

def compares_and_divides(inputs):
    hour, port = filled(inputs["hour"]), inputs["origin"]
    number = tf.cast(tf.clip_by_value(hour, -1000.0, 1000.0), tf.int64)
    return {
        "jfk": tf.cast(tf.equal(port, "JFK"), tf.int64),
        "log": tf.math.log1p(tf.nn.relu(filled(inputs["distance"]))),
        "not jfk": tf.cast("JFK" != port, tf.int64),
        "noon": tf.cast(tf.not_equal(hour, 12.0), tf.float32),
        "of day": tf.math.floormod(hour - 10.0, 6.0),
        "of night": tf.math.floormod(number - 10, 6),
        "unknown": tf.cast(inputs["plane_model"] == "", tf.float32),
    }

def compares_two_texts(inputs):
    return {"same": tf.cast(inputs["origin"] == inputs["plane_model"], tf.float32)}

def takes_the_mean_of_the_batch(inputs):
    return {"x": inputs["distance"] - tf.reduce_mean(inputs["distance"]), "y": inputs["hour"]}

def takes_the_mean_of_days(inputs):
    return {"x": inputs["day"] - tf.reduce_mean(inputs["day"]), "y": inputs["hour"]}

def counts_in_hundreds(inputs):
    rows = tf.shape(inputs["distance"])[0] // 100
    return {"x": inputs["distance"] + tf.cast(rows, tf.float32)}

def numbers_its_rows(inputs):
    return {"id": tf.cast(tf.cumsum(tf.ones_like(inputs["distance"])), tf.int64)}

def draws(inputs):
    return {"x": tf.random.uniform(tf.shape(inputs["distance"]))}

def lowers(inputs):
    lower = tf.strings.lower(inputs["origin"])
    return {"port": tft.compute_and_apply_vocabulary(lower, num_oov_buckets=1)}
"""


@pytest.fixture(scope="module", autouse=True)
def users_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the user's settings, where the module lies."""
    folder = tmp_path_factory.mktemp("users")
    (folder / f"{MODULE}.py").write_text(USERS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SOURCES_VARIABLE, str(folder))
        yield folder


@pytest.fixture(scope="module")
def ran(
    tmp_path_factory: pytest.TempPathFactory, transform: Callable[..., Run], examples: Path
) -> Run:
    folder = tmp_path_factory.mktemp("function") / "run"
    return transform(folder, examples, preprocessing_fn=f"{MODULE}:features")


def column(run: Run, name: str, split: str = "train") -> np.ndarray[Any, Any]:
    spec, arrays = FeatureSpec.read(run.features), load_split(run.features, split)
    names = [feature.name for feature in spec.ids]
    if name in names:
        return arrays.ids[:, names.index(name)]
    return arrays.dense[:, spec.dense.index(name)]


def raw(run: Run, name: str, kind: str, split: str = "train") -> np.ndarray[Any, Any]:
    return raw_inputs(read_split(run.examples, split, [name]), {name: kind})[name]


@pytest.mark.slow
def test_floats_are_dense_and_whole_numbers_are_ids_both_by_name(ran: Run) -> None:
    spec = FeatureSpec.read(ran.features)

    assert spec.dense == ("far", "range", "z")
    assert [(f.name, f.size, f.buckets) for f in spec.ids] == [
        ("part", 4, 5), ("plane", 5, 6), ("port", 3, 4)
    ]  # fmt: skip
    assert spec.rows == {"train": 26_398, "eval": 23_611}


@pytest.mark.slow
def test_the_features_are_what_the_function_says(ran: Run) -> None:
    distance = raw(ran, "distance", "float32").astype(np.float64)
    texts = raw(ran, "plane_model", "string").tolist()
    counts = Counter(text for text in texts if text)
    order = sorted(counts, key=lambda text: (counts[text], text.encode()), reverse=True)[:5]

    z = (distance - distance.mean()) / distance.std()
    np.testing.assert_allclose(column(ran, "z"), z, atol=1e-5)
    np.testing.assert_array_equal(column(ran, "far"), distance > 1000)
    # A text outside the vocabulary is -1 in TFT, and the id after the last here.
    expected = [order.index(text) if text in order else 5 for text in texts]
    np.testing.assert_array_equal(column(ran, "plane"), expected)


@pytest.mark.slow
def test_the_onnx_form_takes_the_columns_that_are_read_and_gives_the_features(ran: Run) -> None:
    path = ran.transform_graph / "preprocessing.onnx"
    inputs = raw_input_types(onnx.load(str(path)))
    rows = raw_inputs(read_split(ran.examples, "eval"), inputs)

    carried, arrays = OnnxTransform(path).apply(rows), load_split(ran.features, "eval")

    assert inputs == {
        "distance": "float32", "hour": "float32", "origin": "string", "plane_model": "string",
        "weather_temp": "float32",
    }  # fmt: skip
    np.testing.assert_array_equal(carried.ids, arrays.ids)
    np.testing.assert_allclose(carried.dense, arrays.dense, atol=1e-5, rtol=1e-5)
    assert ran.outcome.facts["onnx_compared_rows"] == 23_611


@pytest.mark.slow
def test_a_text_never_seen_and_a_missing_one_have_the_id_after_the_last(ran: Run) -> None:
    path = ran.transform_graph / "preprocessing.onnx"
    numbers = {name: np.ones(3, np.float32) for name in ("distance", "hour", "weather_temp")}
    texts = np.array(["JFK", "never seen", ""], dtype=object)

    ids = OnnxTransform(path).apply(numbers | {"origin": texts, "plane_model": texts}).ids

    assert ids[0, 2] < 3 and ids[1:, 2].tolist() == [3, 3] and ids[:, 1].tolist() == [5, 5, 5]


@pytest.mark.slow
def test_all_of_it_in_worker_processes_gives_the_same_features_and_bytes_of_onnx(
    ran: Run, transform: Callable[..., Run], examples: Path, tmp_path: Path
) -> None:
    with local_job_service(tmp_path) as options:
        beam = {"runner": "PortableRunner", "work": "all", "options": options}
        name = f"{MODULE}:features"
        again = transform(tmp_path / "run", examples, preprocessing_fn=name, beam=beam)

    for split in ("train", "eval"):
        expected, actual = load_split(ran.features, split), load_split(again.features, split)
        np.testing.assert_allclose(actual.dense, expected.dense, rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(actual.ids, expected.ids)
    for file in ("preprocessing.json", "preprocessing.onnx"):
        first, second = (sha256_file(run.transform_graph / file) for run in (ran, again))
        assert first == second


@pytest.mark.slow
def test_what_is_fitted_names_the_function_and_no_value_of_a_row(ran: Run) -> None:
    fitted = json.loads((ran.transform_graph / "preprocessing.json").read_text())

    assert fitted["preprocessing_fn"] == f"{MODULE}:features"
    assert len(fitted["assets"]) == 2 and all(len(sha) == 64 for sha in fitted["assets"].values())
    assert "JFK" not in json.dumps(dict(ran.outcome.facts))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "cause"),
    [
        ("throws", rf"{MODULE}\.py, line 21, `return .*`: "),
        ("leaves_at_once", rf'{MODULE}\.py, line 38, `sys.exit\("enough"\)`: SystemExit: enough'),
        ("reads_the_future", rf"{MODULE}\.py, line 45, `return .*`: KeyError: 'dep_delay'"),
        ("reads_the_label", rf"{MODULE}\.py, line 48, `return .*`: KeyError: 'late'"),
        ("gives_nothing", "returns no"),
        ("gives_no_dictionary", "returns no"),
        ("gives_text", "gives x as string"),
        ("gives_truth", "gives x as bool"),
        ("gives_sparse", "gives x as SparseTensor"),
        ("gives_two_columns", r"gives x of shape \(None, 2\)"),
        ("is_not_there", f"{MODULE} has no function is_not_there"),
    ],
)
def test_a_function_that_cannot_be_used_is_refused(
    source: dict[str, Any], examples: Path, function: str, cause: str
) -> None:
    from components.transform_features.user_function import find_function

    with pytest.raises(SettingsError, match=cause):
        find_function(
            f"{MODULE}:{function}", Source.model_validate(source), ExamplesManifest.read(examples)
        )


ON_ROWS = {
    "refuses_rows": 'line 24, `raise ValueError(f"not {values[0]}")`: ValueError',
    "leaves_at_rows": "line 27, `sys.exit(3)`: SystemExit",
    "reads_no_number": 'line 41, `number = tf.strings.to_number(inputs["origin"])`: TensorFlow\'s '
    "StringToNumber failed",
}


@pytest.mark.slow
@pytest.mark.parametrize("function", ON_ROWS)
def test_what_fails_on_rows_is_shown_with_the_users_line_and_no_value(
    transform: Callable[..., Run], examples: Path, tmp_path: Path, function: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        transform(tmp_path / "run", examples, preprocessing_fn=f"{MODULE}:{function}")

    name = f"preprocessing_fn {MODULE}:{function}"
    assert caught.value.message == f"{name}: {MODULE}.py, {ON_ROWS[function]}"


@pytest.mark.slow
def test_what_fails_in_a_worker_process_is_shown_with_the_users_line(
    transform: Callable[..., Run], examples: Path, tmp_path: Path
) -> None:
    with local_job_service(tmp_path) as options, pytest.raises(SettingsError) as caught:
        beam = {"runner": "PortableRunner", "work": "all", "options": options}
        name = f"{MODULE}:refuses_rows"
        transform(tmp_path / "run", examples, preprocessing_fn=name, beam=beam)

    assert f"{MODULE}.py, {ON_ROWS['refuses_rows']}" in caught.value.message


@pytest.mark.slow
def test_a_function_that_copies_its_columns_reads_all_of_them(
    source: dict[str, Any], examples: Path
) -> None:
    from components.transform_features.user_function import find_function

    manifest = ExamplesManifest.read(examples)
    found = find_function(f"{MODULE}:copies", Source.model_validate(source), manifest)

    later = {"late", *source["leakage"]}
    assert set(found.inputs) == set(manifest.columns) - later
    assert found.dense == ("x",) and found.ids == ()


@pytest.mark.slow
def test_what_the_function_leaves_missing_is_zero(
    transform: Callable[..., Run], examples: Path, tmp_path: Path
) -> None:
    made = transform(tmp_path / "run", examples, preprocessing_fn=f"{MODULE}:leaves_gaps")

    pressure = raw(made, "weather_pressure", "float32")
    assert 0 < np.isnan(pressure).sum() < len(pressure)
    np.testing.assert_array_equal(column(made, "pressure"), np.nan_to_num(pressure))
    numbers = {name: np.array([np.nan, np.inf, -np.inf, 3], np.float32) for name in (
        "distance", "weather_pressure"
    )}  # fmt: skip
    carried = OnnxTransform(made.transform_graph / "preprocessing.onnx").apply(numbers)
    assert carried.dense.tolist() == [[0, 0], [0, 0], [0, 0], [3, 3]]


@pytest.mark.slow
def test_a_feature_that_is_never_a_number_is_refused(
    transform: Callable[..., Run], examples: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="feature root of the preprocessing_fn is no number in any"):
        transform(tmp_path / "run", examples, preprocessing_fn=f"{MODULE}:gives_no_number")


@pytest.mark.slow
def test_what_onnx_cannot_compute_is_named(
    transform: Callable[..., Run], examples: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=r"cannot be carried over to ONNX: .*StringLower"):
        transform(tmp_path / "run", examples, preprocessing_fn=f"{MODULE}:lowers")


@pytest.mark.slow
def test_comparisons_logarithms_and_remainders_are_carried_over(
    transform: Callable[..., Run], examples: Path, tmp_path: Path
) -> None:
    made = transform(tmp_path / "run", examples, preprocessing_fn=f"{MODULE}:compares_and_divides")

    hour, distance = (raw(made, name, "float32", "eval") for name in ("hour", "distance"))
    port, plane = (raw(made, name, "string", "eval") for name in ("origin", "plane_model"))
    expected = {
        "jfk": port == "JFK",
        "log": np.log1p(distance),
        "not jfk": port != "JFK",
        "noon": hour != 12,
        "of day": (hour - 10) % 6,
        "of night": (hour - 10) % 6,
        "unknown": plane == "",
    }
    for name, values in expected.items():
        np.testing.assert_allclose(column(made, name, "eval"), values, rtol=1e-6)
        assert len(set(values.tolist())) > 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "cause"),
    [
        ("takes_the_mean_of_the_batch", "other features when other rows are beside it: x$"),
        ("takes_the_mean_of_days", "other features when other rows are beside it: x$"),
        ("counts_in_hundreds", "other features when other rows are beside it: x$"),
        ("numbers_its_rows", "other features when other rows are beside it: id$"),
        ("draws", "other features when other rows are beside it: x$"),
        ("compares_two_texts", "TensorFlow's Equal of texts with more than one text"),
    ],
)
def test_a_function_that_no_other_form_can_follow_is_refused(
    transform: Callable[..., Run], examples: Path, tmp_path: Path, function: str, cause: str
) -> None:
    with pytest.raises(SettingsError, match=cause):
        transform(tmp_path / "run", examples, preprocessing_fn=f"{MODULE}:{function}")


def test_an_onnx_form_that_fails_on_a_row_is_told_by_its_operation_without_the_value(
    tmp_path: Path,
) -> None:
    of = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Cast", ["word"], ["number"], to=onnx.TensorProto.INT64),
            onnx.helper.make_node("Unsqueeze", ["number", "one"], ["ids"]),
        ],
        "casts",
        [of("word", onnx.TensorProto.STRING, ["batch"])],
        [of("ids", onnx.TensorProto.INT64, ["batch", 1])],
        [onnx.numpy_helper.from_array(np.array([1], np.int64), "one")],
    )
    imports = [onnx.helper.make_opsetid("", 18)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=imports, ir_version=9), tmp_path / "x")

    form = OnnxTransform(tmp_path / "x")
    assert form.apply({"word": np.array(["12"], object)}).ids.tolist() == [[12]]
    with pytest.raises(SettingsError, match="ONNX Runtime fails at Cast on a row") as caught:
        form.apply({"word": np.array(["a secret"], object)})
    assert "a secret" not in caught.value.message


def test_the_users_module_is_part_of_the_stages_code(source: dict[str, Any]) -> None:
    values = {
        "transform": {"preprocessing_fn": f"{MODULE}:features"},
        "source": source,
        "schema": "",
        "beam": {},
    }
    settings = TransformSettings.model_validate(values)

    assert step_modules(transform_features, settings) == [
        "components.transform_features.step", MODULE
    ]  # fmt: skip
