"""Both frameworks start from the same weights, compute the same function and take equal steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.core.features import FeatureSpec, IdFeature, load_split
from components.core.settings import ModelFamily, Train
from components.training import wide_and_deep

MODULE = "pipelines.examples.flights.model_"
FAMILY = ModelFamily(
    pytorch=f"{MODULE}pytorch:build_model",
    tensorflow=f"{MODULE}tensorflow:build_model",
    hidden_units=(16, 8),
    embedding_dim=4,
)
IDS = (IdFeature(name="carrier", size=3), IdFeature(name="origin", size=2))
SPECS = {
    "dense and ids": FeatureSpec(dense=("a", "b"), ids=IDS, label="late", rows={}),
    "dense only": FeatureSpec(dense=("a", "b"), ids=(), label="late", rows={}),
    "ids only": FeatureSpec(dense=(), ids=IDS, label="late", rows={}),
}


def test_each_id_feature_has_its_own_rows_with_one_for_the_rest() -> None:
    spec = SPECS["dense and ids"]
    assert wide_and_deep.id_offsets(spec).tolist() == [0, 4]
    assert wide_and_deep.id_rows(spec) == 7
    assert wide_and_deep.shapes(spec, FAMILY)["embedding"] == (7, 4)
    assert wide_and_deep.shapes(spec, FAMILY)["hidden_0.kernel"] == (2 + 2 * 4, 16)


def test_the_seed_alone_decides_the_first_weights() -> None:
    spec = SPECS["dense and ids"]
    first, same = (wide_and_deep.initial_weights(spec, FAMILY, 1) for _ in range(2))
    other = wide_and_deep.initial_weights(spec, FAMILY, 2)
    assert all((first[name] == same[name]).all() for name in first)
    assert (first["hidden_0.kernel"] != other["hidden_0.kernel"]).any()
    assert (first["embedding"] != other["embedding"]).any()


def batch(spec: FeatureSpec, rows: int = 50) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    dense = random.standard_normal((rows, len(spec.dense))).astype(np.float32)
    ids = [random.integers(0, feature.buckets, rows) for feature in spec.ids]
    return dense, np.array(ids, dtype=np.int32).reshape(len(ids), rows).T.copy()


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_with_the_same_weights_both_frameworks_give_the_same_outputs(name: str) -> None:
    import torch

    from pipelines.examples.flights import model_pytorch, model_tensorflow

    spec = SPECS[name]
    dense, ids = batch(spec)
    pytorch = model_pytorch.build_model(spec, FAMILY, 1)
    tensorflow = model_tensorflow.build_model(spec, FAMILY, 2)
    random = np.random.default_rng(4)
    weights = {
        part: random.standard_normal(shape).astype(np.float32) / 3
        for part, shape in wide_and_deep.shapes(spec, FAMILY).items()
    }
    model_pytorch.set_weights(pytorch, weights)
    model_tensorflow.set_weights(tensorflow, model_pytorch.get_weights(pytorch))
    with torch.no_grad():
        expected = pytorch(torch.from_numpy(dense), torch.from_numpy(ids)).numpy()
    actual = np.asarray(tensorflow({"dense": dense, "ids": ids}))
    assert actual.shape == (50, 1)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_the_weights_of_another_model_are_refused_by_both() -> None:
    from pipelines.examples.flights import model_pytorch, model_tensorflow

    spec = SPECS["dense and ids"]
    weights = wide_and_deep.initial_weights(SPECS["dense only"], FAMILY, 1)
    for module in (model_pytorch, model_tensorflow):
        with pytest.raises(ValueError, match="not those of the model"):
            module.set_weights(module.build_model(spec, FAMILY, 1), weights)


@pytest.mark.slow
def test_both_trainers_take_equal_steps(small_features: Path) -> None:
    from components.train_pytorch import training as on_pytorch
    from components.train_tensorflow import training as on_tensorflow
    from pipelines.examples.flights import model_pytorch, model_tensorflow

    train = Train(epochs=2, batch_size=160, learning_rate=0.01)
    spec, arrays = FeatureSpec.read(small_features), load_split(small_features, "train")
    first = wide_and_deep.initial_weights(spec, FAMILY, train.seed)
    pytorch = model_pytorch.build_model(spec, FAMILY, train.seed)
    tensorflow = model_tensorflow.build_model(spec, FAMILY, train.seed)
    steps = [
        on_pytorch.fit_model(pytorch, arrays, train),
        on_tensorflow.fit_model(tensorflow, arrays, train),
    ]
    assert steps[0].steps == steps[1].steps == 8
    assert steps[0].final_loss == pytest.approx(steps[1].final_loss, abs=1e-6)
    ours, theirs = model_pytorch.get_weights(pytorch), model_tensorflow.get_weights(tensorflow)
    for name, before in first.items():
        assert np.abs(ours[name] - before).max() > 0.02, name
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-4, err_msg=name)
