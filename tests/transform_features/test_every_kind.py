"""Every kind of feature: what it is worth, and that both forms and all batches agree on it."""

from __future__ import annotations

import datetime
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from kinds_run import EVERY_KIND, PARTS, ROWS, Kinds, fit, made_rows
from tried_examples import tries

from components.core.bundle import Bundle
from components.core.canonical import sha256_file
from components.core.errors import DataError
from components.core.features import FeatureArrays, FeatureSpec, write_split
from components.core.raw_inputs import raw_inputs
from components.train_pytorch.step import TrainPytorchSettings, train_pytorch
from components.train_tensorflow.step import TrainTensorflowSettings, train_tensorflow
from components.training.composition import compose_raw, write_onnx
from components.training.parity import EDGE_ROWS
from components.transform_features.application import SavedTransform, Transformed
from components.transform_features.fitted_columns import (
    BucketColumn,
    RangedColumn,
    VocabularyColumn,
)
from components.transform_features.onnx_form import build
from components.transform_features.parity import OnnxTransform, edge_rows, require_same
from components.transform_features.text_hash import hash_text, join

pytestmark = pytest.mark.slow
EPOCH = datetime.date(1970, 1, 1)


@pytest.fixture(scope="module")
def saved(kinds: Kinds) -> SavedTransform:
    return SavedTransform(kinds.transform_graph)


@pytest.fixture(scope="module")
def carried(kinds: Kinds) -> OnnxTransform:
    return OnnxTransform(kinds.transform_graph / "preprocessing.onnx")


@pytest.fixture(scope="module")
def raw(kinds: Kinds) -> dict[str, np.ndarray[Any, Any]]:
    return raw_inputs(kinds.rows, kinds.declared.inputs)


@pytest.fixture(scope="module")
def made(saved: SavedTransform, raw: dict[str, np.ndarray[Any, Any]]) -> Transformed:
    return saved.apply(raw)


def dense(kinds: Kinds, made: Transformed, name: str) -> np.ndarray[Any, Any]:
    return made.dense[:, [c.name for c in kinds.fitted.dense].index(name)].astype(np.float64)


def ids(kinds: Kinds, made: Transformed, name: str) -> np.ndarray[Any, Any]:
    return made.ids[:, [c.name for c in kinds.fitted.ids].index(name)]


def fitted_id(kinds: Kinds, name: str) -> Any:
    return next(c for c in kinds.fitted.ids if c.name == name)


def amounts(raw: dict[str, np.ndarray[Any, Any]]) -> tuple[Any, Any]:
    amount = raw["amount"].astype(np.float64)
    return amount, np.isfinite(amount)


def test_both_forms_agree_on_every_row_and_on_edge_rows(
    kinds: Kinds, saved: SavedTransform, carried: OnnxTransform, raw: Any, made: Transformed
) -> None:
    require_same(made, carried.apply(raw), kinds.fitted)

    edges = edge_rows(kinds.fitted)
    of_edges = saved.apply(edges)
    require_same(of_edges, carried.apply(edges), kinds.fitted)
    assert np.isfinite(of_edges.dense).all()
    assert len(made.dense) == ROWS


def test_min_max_lies_between_0_and_1_on_the_training_split(
    kinds: Kinds, raw: Any, made: Transformed
) -> None:
    amount, known = amounts(raw)
    low, high = amount[known].min(), amount[known].max()
    found = dense(kinds, made, "amount_range")

    np.testing.assert_allclose(found[known], (amount[known] - low) / (high - low), atol=1e-6)
    assert found[known].min() == 0 and found[known].max() == 1
    assert (found[~known] == 0).all()
    fitted = next(c for c in kinds.fitted.dense if c.name == "amount_range")
    assert isinstance(fitted, RangedColumn) and (fitted.minimum, fitted.maximum) == (low, high)


def test_logarithms_scores_and_indicators(kinds: Kinds, raw: Any, made: Transformed) -> None:
    amount, known = amounts(raw)
    logged = np.log1p(np.maximum(amount[known], 0))

    np.testing.assert_allclose(dense(kinds, made, "amount_log")[known], logged, atol=1e-6)
    score = (logged - logged.mean()) / logged.std()
    np.testing.assert_allclose(dense(kinds, made, "amount_log_scaled")[known], score, atol=1e-5)
    for name in ("amount_missing", "amount_log_scaled_missing"):
        np.testing.assert_array_equal(dense(kinds, made, name), ~known)
    assert (dense(kinds, made, "amount_log")[~known] == 0).all()


def test_a_column_with_one_value_stays_unscaled_and_in_one_bucket(
    kinds: Kinds, saved: SavedTransform, raw: Any, made: Transformed
) -> None:
    assert (dense(kinds, made, "constant_range") == 0).all()
    assert (dense(kinds, made, "constant") == 0).all()
    np.testing.assert_array_equal(ids(kinds, made, "constant_half"), [1, *[2] * (ROWS - 1)])

    first = {name: values[:1] for name, values in raw.items()}
    other = saved.apply(first | {"constant": np.array([9], np.float32)})
    assert dense(kinds, other, "constant_range") == 2


def test_the_columns_of_one_feature_are_neighbours_in_the_order_of_names(kinds: Kinds) -> None:
    names = [c.name for c in kinds.fitted.dense]

    assert names == list(kinds.declared.dense)
    assert names[:4] == ["amount", "amount_missing", "amount_cycle_sin", "amount_cycle_cos"]
    parts = ["hour", "weekday", "month_day", "month", "year_day"]
    assert names[-10:] == [f"when_{part}_{wave}" for part in parts for wave in ("sin", "cos")]
    assert [c.name for c in kinds.fitted.ids] == sorted(
        n for n, f in EVERY_KIND.items() if n in kinds.declared.ids
    )


def test_parts_of_a_date_are_those_of_the_calendar(
    kinds: Kinds, raw: Any, made: Transformed
) -> None:
    known = np.isfinite(raw["when_day"])
    dates = [EPOCH + datetime.timedelta(int(day)) for day in raw["when_day"][known]]
    turns = {
        "hour": raw["when_second"][known].astype(int) // 3600 / 24,
        "weekday": np.array([date.weekday() / 7 for date in dates]),
        "month_day": np.array([(date.day - 1) / 31 for date in dates]),
        "month": np.array([(date.month - 1) / 12 for date in dates]),
        "year_day": np.array([(date.timetuple().tm_yday - 1) / 365.25 for date in dates]),
    }

    assert set(turns) == set(PARTS) and (~known).sum() > 0 and min(dates).year < 1700
    for part, turn in turns.items():
        for wave, function in (("sin", np.sin), ("cos", np.cos)):
            found = dense(kinds, made, f"when_{part}_{wave}")
            np.testing.assert_allclose(found[known], function(2 * np.pi * turn), atol=1e-6)
            if part != "hour":
                assert (found[~known] == 0).all()


@pytest.mark.parametrize(
    ("name", "buckets"), [("amount_decile", 10), ("day_fifth", 5), ("day_half", 2)]
)
def test_buckets_hold_equal_shares_within_the_stated_error(
    kinds: Kinds, raw: Any, made: Transformed, name: str, buckets: int
) -> None:
    column = fitted_id(kinds, name)
    values = raw[column.column]
    known = np.isfinite(values)
    found = ids(kinds, made, name)

    assert isinstance(column, BucketColumn) and len(column.boundaries) == buckets - 1
    ranks = np.searchsorted(np.sort(values[known]), column.boundaries) / known.sum()
    wanted = np.arange(1, buckets) / buckets
    # One row of an amount that occurs once, on top of the sketch's own error.
    assert np.abs(ranks - wanted).max() <= column.rank_error + 1 / known.sum()
    expected = np.searchsorted(np.array(column.boundaries), values, side="right")
    np.testing.assert_array_equal(found, np.where(known, expected, buckets))


def test_a_number_on_a_boundary_belongs_to_the_upper_bucket(
    kinds: Kinds, saved: SavedTransform, carried: OnnxTransform, raw: Any
) -> None:
    boundaries = np.array(fitted_id(kinds, "amount_decile").boundaries, np.float32)
    below = np.nextafter(boundaries, np.float32(-np.inf))
    some = {name: values[:9] for name, values in raw.items()}

    for form in (saved, carried):
        on = form.apply(some | {"amount": boundaries})
        under = form.apply(some | {"amount": below})
        np.testing.assert_array_equal(ids(kinds, on, "amount_decile"), range(1, 10))
        np.testing.assert_array_equal(ids(kinds, under, "amount_decile"), range(9))


def test_vocabularies_go_by_frequency_then_by_bytes_as_those_of_tft(kinds: Kinds, raw: Any) -> None:
    counts = Counter(text for text in raw["word"] if text and "\n" not in text and "\r" not in text)
    order = sorted(counts, key=lambda text: (counts[text], text.encode()), reverse=True)
    often = [text for text in order if counts[text] >= 30]

    assert fitted_id(kinds, "word_all").vocabulary == tuple(order)
    assert fitted_id(kinds, "word_often").vocabulary == tuple(often)
    assert fitted_id(kinds, "word").vocabulary == tuple(order[:5])
    assert len(order) > len(often) > 0 and counts[order[-1]] == counts[order[-2]]


def test_texts_outside_a_vocabulary_share_its_further_ids_by_their_hash(
    kinds: Kinds, raw: Any, made: Transformed
) -> None:
    column = fitted_id(kinds, "word")
    number = {text: i for i, text in enumerate(column.vocabulary)}
    expected = [number.get(t, column.size + hash_text(t) % 4) for t in raw["word"]]

    assert isinstance(column, VocabularyColumn)
    np.testing.assert_array_equal(ids(kinds, made, "word"), expected)
    assert len({i for i in expected if i >= column.size}) > 1


def test_hashes_and_crosses_are_those_of_the_definition(
    kinds: Kinds, raw: Any, made: Transformed
) -> None:
    codes = [hash_text(text) % 7 for text in raw["code"]]
    pairs = [
        join([hash_text(p), hash_text(w)]) % 50
        for p, w in zip(raw["place"], raw["word"], strict=True)
    ]

    np.testing.assert_array_equal(ids(kinds, made, "code_hash"), codes)
    np.testing.assert_array_equal(ids(kinds, made, "pair"), pairs)
    assert raw["code"][0].isdigit() and len(set(pairs)) > 10


def test_every_character_has_the_same_hash_in_both_forms(
    kinds: Kinds, saved: SavedTransform, carried: OnnxTransform, raw: Any
) -> None:
    codes = [*range(0xD800), *range(0xE000, 0x10000), 0x10000, 0x1F600, 0x10FFFF]
    texts = np.array([chr(code) for code in codes], dtype=object)
    rows = {name: np.resize(values, len(texts)) for name, values in raw.items()}
    rows["place"] = texts

    expected = [hash_text(text) % 1000 for text in texts]
    for form in (saved, carried):
        np.testing.assert_array_equal(ids(kinds, form.apply(rows), "place_hash"), expected)


def test_a_model_knows_how_many_ids_there_are(kinds: Kinds, made: Transformed) -> None:
    buckets = {feature.name: feature.buckets for feature in kinds.fitted.id_features}

    assert buckets["amount_decile"] == 11  # one more for missing
    assert buckets["code_hash"] == 7 and buckets["pair"] == 50
    assert buckets["place"] == 4 and buckets["word"] == 5 + 4
    for place, name in enumerate(buckets):
        assert made.ids[:, place].min() >= 0 and made.ids[:, place].max() < buckets[name]


number = st.floats(width=32)
text = st.one_of(st.sampled_from(["x", "b", "", "\0", "a\nb", "12"]), st.text(max_size=4))


@tries(40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(number, number, text, text), min_size=1, max_size=6))
def test_a_row_does_not_depend_on_its_batch_in_either_form(
    kinds: Kinds,
    saved: SavedTransform,
    carried: OnnxTransform,
    rows: list[tuple[float, float, str, str]],
) -> None:
    together = {}
    for place, (name, kind) in enumerate(kinds.declared.inputs.items()):
        values = [row[(2 if kind == "string" else 0) + place % 2] for row in rows]
        together[name] = np.array(values, dtype=object if kind == "string" else np.float32)
    alone = {name: values[-1:] for name, values in together.items()}

    of_all = saved.apply(together)
    require_same(of_all, carried.apply(together), kinds.fitted)
    last = Transformed(of_all.dense[-1:], of_all.ids[-1:])
    for form in (saved, carried):
        require_same(last, form.apply(alone), kinds.fitted)


def test_no_rows_give_no_features_in_either_form(
    kinds: Kinds, saved: SavedTransform, carried: OnnxTransform, raw: Any
) -> None:
    none = {name: values[:0] for name, values in raw.items()}
    session = carried._session

    found = dict(zip(("dense", "ids"), session.run(["dense", "ids"], none), strict=True))
    assert found["dense"].shape == (0, len(kinds.fitted.dense))
    assert found["ids"].shape == saved.apply(none).ids.shape == (0, len(kinds.fitted.ids))


def test_equal_fitted_values_give_equal_bytes_and_read_back(kinds: Kinds, tmp_path: Path) -> None:
    kinds.fitted.write(tmp_path)
    again = type(kinds.fitted).model_validate_json((tmp_path / "preprocessing.json").read_text())

    assert again == kinds.fitted
    written = (kinds.transform_graph / "preprocessing.onnx").read_bytes()
    assert build(again).SerializeToString(deterministic=True) == written


def test_a_vocabulary_without_a_word_is_refused(tmp_path: Path) -> None:
    features = {"word": {"kind": "vocabulary", "minimum_count": ROWS}}

    with pytest.raises(DataError, match="feature word has an empty vocabulary"):
        fit(tmp_path, features, made_rows().slice(0, 100))


def test_ids_alone_need_no_fitted_numbers(tmp_path: Path) -> None:
    rows: pa.Table = made_rows().slice(0, 10)

    found = fit(tmp_path, {"code": {"kind": "hashing", "buckets": 3}}, rows)

    assert found.fitted.dense == () and found.fitted.ids[0].size == 3


@pytest.mark.parametrize("opset", [18, 20, 21])
def test_a_model_of_another_opset_takes_raw_rows_of_every_kind_in_a_plain_runtime(
    kinds: Kinds, raw: Any, made: Transformed, tmp_path: Path, opset: int
) -> None:
    preprocessing = onnx.load(str(kinds.transform_graph / "preprocessing.onnx"))
    composed = compose_raw(preprocessing, _sum_of_features(opset))
    write_onnx(composed, tmp_path / "model.onnx")

    session = onnxruntime.InferenceSession(
        str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(["probability"], raw)

    assert {i.name for i in session.get_inputs()} == set(raw)
    expected = made.dense.sum(axis=1) + made.ids.sum(axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


def _sum_of_features(opset: int) -> onnx.ModelProto:
    """Return a model whose `probability` is the sum of all features."""
    of = onnx.helper.make_tensor_value_info
    axis = onnx.numpy_helper.from_array(np.array([1], np.int64), "axis")
    nodes = [
        onnx.helper.make_node("Cast", ["ids"], ["numbers"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Concat", ["dense", "numbers"], ["all"], axis=1),
        onnx.helper.make_node("ReduceSum", ["all", "axis"], ["probability"], keepdims=0),
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "sum",
        [
            of("dense", onnx.TensorProto.FLOAT, ["batch", None]),
            of("ids", onnx.TensorProto.INT32, ["batch", None]),
        ],
        [of("probability", onnx.TensorProto.FLOAT, ["batch"])],
        [axis],
    )
    imports = [onnx.helper.make_opsetid("", opset)]
    return onnx.helper.make_model(graph, opset_imports=imports, ir_version=9)


def test_both_frameworks_train_on_every_kind_and_their_forms_take_raw_rows(
    kinds: Kinds, raw: Any, made: Transformed, tmp_path: Path
) -> None:
    kinds.fitted.write(kinds.transform_graph)
    features = _write_features(tmp_path / "features", kinds, made)
    settings = {
        "model": {"family": "wide_and_deep"},
        "train": {"epochs": 1, "batch_size": 500},
    }
    inputs = {"features": features, "transform_graph": kinds.transform_graph}
    torch, tensorflow = tmp_path / "pytorch_model", tmp_path / "tensorflow_model"
    torch.mkdir()
    tensorflow.mkdir()
    for_torch = TrainPytorchSettings.model_validate(settings)
    train_pytorch(settings=for_torch, **inputs, pytorch_model=torch)
    for_tensorflow = TrainTensorflowSettings.model_validate(settings)
    train_tensorflow(settings=for_tensorflow, **inputs, tensorflow_model=tensorflow)

    scores = []
    for folder in (torch, tensorflow):
        proven = {form.name: form.parity for form in Bundle.open(folder).contract.forms}
        assert proven["onnx"].rows == EDGE_ROWS and proven["onnx"].holds
        session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
        scores.append(session.run(["probability"], raw)[0])
    # Equal functions from equal weights on equal batches: the scores are those of one model.
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-4)
    assert scores[0].std() > 1e-3


def _write_features(folder: Path, kinds: Kinds, made: Transformed) -> Path:
    folder.mkdir()
    label = kinds.rows["late"].to_numpy().astype(np.float32)
    for split, rows in (("train", slice(0, 3000)), ("eval", slice(3000, ROWS))):
        part = FeatureArrays(made.dense[rows], made.ids[rows].astype(np.int32), label[rows])
        write_split(folder, split, part)
    FeatureSpec(
        dense=tuple(column.name for column in kinds.fitted.dense),
        ids=kinds.fitted.id_features,
        label="late",
        rows={"train": 3000, "eval": ROWS - 3000},
        preprocessing_sha256=sha256_file(kinds.transform_graph / "preprocessing.json"),
    ).write(folder)
    return folder
