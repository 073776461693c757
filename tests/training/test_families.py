"""Both frameworks build every family as one function: equal outputs, losses, gradients, steps."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from every_family import FAMILIES, SPECS, drawn, framework_free, on, rows_of, weights_of

from components.core.features import FeatureSpec, LabelScale, load_split
from components.core.model_settings import ModelFamily
from components.core.task import Task
from components.core.training_settings import Train
from components.training import adam
from components.training.families.weights import id_offsets, id_rows
from components.training.heads import Head

HEADS: dict[Task, int] = {"binary": 1, "multi_class": 3, "regression": 1}
SCALE = LabelScale(mean=-2.0, deviation=0.5)
NEAR = {"rtol": 0, "atol": 1e-5}
BOTH = SPECS["dense and ids"]
RATE = 0.01
# Where the loss does not depend on a weight (a shift that a batch normalisation follows, say), its
# gradient is rounding noise, and Adam steps as far as anywhere, in a direction of chance.
NOISE = 1e-6


def test_each_id_feature_has_its_own_rows_with_one_for_the_rest() -> None:
    assert id_offsets(BOTH).tolist() == [0, 4]
    assert id_rows(BOTH) == 7
    shapes = {n: w.shape for n, w in weights_of(FAMILIES["wide_and_deep"], BOTH).items()}
    assert shapes["inputs.embedding.table"] == (7, 4)
    assert shapes["deep.hidden_0.kernel"] == (2 + 2 * 4, 16)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_seed_alone_decides_the_first_weights(name: str) -> None:
    family = FAMILIES[name]
    draw = framework_free(family).initial_weights
    first, same, other = (draw(BOTH, family, seed) for seed in (1, 1, 2))
    assert all((first[name] == same[name]).all() for name in first)
    random = [n for n in first if n.endswith((".kernel", ".table")) and not n.startswith("wide")]
    assert random
    assert all((first[name] != other[name]).any() for name in random)


@pytest.mark.parametrize("number", [0, 1])
def test_normalisation_and_low_rank_change_the_weights_as_the_papers_say(number: int) -> None:
    names = weights_of(FAMILIES["dcn_v2 low rank"], BOTH)
    width = 2 + 2 * 4
    assert names[f"cross_{number}.down.kernel"].shape == (width, 2)
    assert names[f"cross_{number}.up.kernel"].shape == (2, width)
    assert f"deep.normal_{number}.variance" in names
    assert f"deep.hidden_{number}.bias" not in names
    tokens = weights_of(FAMILIES["ft_transformer"], BOTH)
    assert ("block_1.attention_normal.scale" in tokens) is True
    assert ("block_0.attention_normal.scale" in tokens) is False
    assert tokens[f"block_{number}.expand.kernel"].shape == (12, 2 * 16)


class Pair(NamedTuple):
    """One family in both frameworks, with their shared layers."""

    pytorch: Any
    torch_layers: Any
    tensorflow: Any
    keras_layers: Any


def with_head(spec: FeatureSpec, head: Task) -> FeatureSpec:
    """Return the features with a label of that task."""
    classes = ("a", "b", "c") if head == "multi_class" else ()
    return spec.model_copy(update={"task": head, "classes": classes})


def pair(family: ModelFamily, spec: FeatureSpec) -> Pair:
    """Build both from different seeds, then carry drawn weights over PyTorch to TensorFlow."""
    build_torch, torch_layers = on("pytorch", family)
    build_keras, keras_layers = on("tensorflow", family)
    pytorch = build_torch(spec, family, 1)
    tensorflow = build_keras(spec, family, 2)
    torch_layers.set_weights(pytorch, drawn(family, spec))
    keras_layers.set_weights(tensorflow, torch_layers.get_weights(pytorch))
    return Pair(pytorch, torch_layers, tensorflow, keras_layers)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "spec"), [*product(FAMILIES, SPECS)])
def test_both_frameworks_start_from_the_familys_weights(name: str, spec: str) -> None:
    family = FAMILIES[name]
    expected = framework_free(family).initial_weights(SPECS[spec], family, 5)
    for framework in ("pytorch", "tensorflow"):
        build, layers = on(framework, family)
        actual = layers.get_weights(build(SPECS[spec], family, 5))
        assert actual.keys() == expected.keys()
        assert all((actual[part] == expected[part]).all() for part in expected), framework


@pytest.mark.slow
@pytest.mark.parametrize(("name", "spec", "head"), [*product(FAMILIES, SPECS, HEADS)])
def test_with_the_same_weights_both_frameworks_give_the_same_outputs(
    name: str, spec: str, head: Task
) -> None:
    import torch

    from components.train_pytorch import heads as torch_heads
    from components.train_tensorflow import heads as keras_heads

    models = pair(FAMILIES[name], with_head(SPECS[spec], head))
    meaning = Head(head, HEADS[head], SCALE if head == "regression" else None)
    models.pytorch.eval()
    for rows in (1, 7, 50):
        dense, ids = rows_of(SPECS[spec], rows)
        with torch.no_grad():
            expected = models.pytorch(torch.from_numpy(dense), torch.from_numpy(ids))
        actual = models.tensorflow({"dense": dense, "ids": ids}, training=False)
        assert tuple(actual.shape) == (rows, HEADS[head])
        np.testing.assert_allclose(actual, expected, **NEAR)
        np.testing.assert_allclose(
            keras_heads.prediction(meaning, actual),
            torch_heads.prediction(meaning, expected),
            **NEAR,
        )
    assert np.ptp(expected.numpy()) > 0.01


def batch(spec: FeatureSpec, head: Task, rows: int = 50) -> dict[str, np.ndarray]:
    """Return rows with labels of the head and weights for each row."""
    random = np.random.default_rng(6)
    dense, ids = rows_of(spec, rows)
    labels = {
        "binary": random.integers(0, 2, rows),
        "multi_class": random.integers(0, 3, rows),
        "regression": random.standard_normal(rows),
    }
    weights = random.uniform(0.5, 2, rows)
    values = {"dense": dense, "ids": ids, "label": labels[head], "weights": weights}
    return {n: v if n == "ids" else v.astype(np.float32) for n, v in values.items()}


CLASS_WEIGHTS = {"binary": [0.5, 2.0], "multi_class": [1.0, 0.25, 3.0], "regression": None}


def torch_loss_and_gradients(models: Pair, head: Task, rows: dict[str, np.ndarray]) -> Any:
    import torch

    from components.train_pytorch import heads

    models.pytorch.train()
    models.pytorch.zero_grad()
    at = {name: torch.from_numpy(values) for name, values in rows.items()}
    output = models.pytorch(at["dense"], at["ids"])
    weights = CLASS_WEIGHTS[head]
    of_class = None if weights is None else torch.tensor(weights)
    loss = heads.loss(head, output, at["label"], at["weights"], of_class)
    loss.backward()
    tensors = models.torch_layers._tensors(models.pytorch)
    graded = {name: part for name, part in tensors.items() if part.requires_grad}
    # A kernel is a view of its parameter, which alone has the gradient.
    return loss.item(), {
        name: part.grad if part.is_leaf else part._base.grad.T for name, part in graded.items()
    }


def keras_loss_and_gradients(models: Pair, head: Task, rows: dict[str, np.ndarray]) -> Any:
    import tensorflow as tf

    from components.train_tensorflow import heads

    variables = models.keras_layers._variables(models.tensorflow)
    graded = {name: v for name, v in variables.items() if v.trainable}
    inputs = {"dense": rows["dense"], "ids": rows["ids"]}
    with tf.GradientTape() as tape:
        output = models.tensorflow(inputs, training=True)
        loss = heads.loss(head, output, rows["label"], rows["weights"], CLASS_WEIGHTS[head])
    gradients = tape.gradient(loss, [variable.value for variable in graded.values()])
    found = [tf.convert_to_tensor(gradient) for gradient in gradients]
    return float(loss), dict(zip(graded, found, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "head"), [*product(FAMILIES, HEADS)])
def test_losses_and_gradients_agree_before_and_after_a_step(name: str, head: Task) -> None:
    import torch

    from components.train_tensorflow.adam import Adam

    models, rows = pair(FAMILIES[name], with_head(BOTH, head)), batch(BOTH, head)
    constants = {"betas": (adam.BETA_1, adam.BETA_2), "eps": adam.EPSILON}
    torch_adam = torch.optim.Adam(models.pytorch.parameters(), lr=RATE, **constants)
    keras_adam = Adam(models.tensorflow.trainable_variables, Train())
    losses, moved = [], {}
    for _ in range(2):
        expected_loss, expected = torch_loss_and_gradients(models, head, rows)
        actual_loss, actual = keras_loss_and_gradients(models, head, rows)
        assert actual_loss == pytest.approx(expected_loss, abs=1e-5)
        assert actual.keys() == expected.keys()
        for part in expected:
            np.testing.assert_allclose(actual[part], expected[part], **NEAR, err_msg=part)
            moved[part] = moved.get(part, True) & (np.abs(expected[part].numpy()) > NOISE)
        if not losses:  # the running statistics have moved, the weights not yet
            agree(models, dict.fromkeys(_by_name(models), slice(None)))
        torch_adam.step()
        by_path = {v.path: actual[n] for n, v in _by_name(models).items() if v.trainable}
        gradients = [by_path[v.path] for v in models.tensorflow.trainable_variables]
        keras_adam.apply(gradients, RATE)
        losses.append(expected_loss)
        agree(models, moved)
    assert abs(losses[0] - losses[1]) > 1e-3


def agree(models: Pair, where: dict[str, Any]) -> None:
    """Compare the weights and running statistics that `where` names, where it is true."""
    ours = models.torch_layers.get_weights(models.pytorch)
    theirs = models.keras_layers.get_weights(models.tensorflow)
    assert ours.keys() == theirs.keys()
    for part, here in where.items():
        np.testing.assert_allclose(ours[part][here], theirs[part][here], **NEAR, err_msg=part)


def _by_name(models: Pair) -> dict[str, Any]:
    found: dict[str, Any] = models.keras_layers._variables(models.tensorflow)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wide_and_deep", "dcn_v2 stacked", "ft_transformer"])
def test_the_weights_of_another_model_are_refused_by_both(name: str) -> None:
    family = FAMILIES[name]
    weights = framework_free(family).initial_weights(SPECS["dense only"], family, 1)
    for framework in ("pytorch", "tensorflow"):
        build, layers = on(framework, family)
        with pytest.raises(ValueError, match="not those of the model"):
            layers.set_weights(build(BOTH, family, 1), weights)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wide_and_deep layer", "dcn_v2 low rank", "ft_transformer"])
def test_dropout_drops_in_training_only(name: str) -> None:
    import torch

    family = FAMILIES[name].model_copy(update={"dropout": 0.5})
    models, (dense, ids) = pair(family, BOTH), rows_of(BOTH, 50)
    at, feed = (torch.from_numpy(dense), torch.from_numpy(ids)), {"dense": dense, "ids": ids}
    trained = [models.tensorflow(feed, training=True).numpy() for _ in range(2)]
    trained += [models.pytorch.train()(*at).detach().numpy() for _ in range(2)]
    models = pair(family, BOTH)
    served = [models.tensorflow(feed, training=False).numpy() for _ in range(2)]
    served += [models.pytorch.eval()(*at).detach().numpy() for _ in range(2)]
    for one, two in ((trained[0], trained[1]), (trained[2], trained[3])):
        assert np.abs(one - two).max() > 0.01
    for other in served[1:]:
        np.testing.assert_allclose(other, served[0], **NEAR)


# A norm that every step's gradient passes, a decay that moves weights by more than the tolerance.
EVERYTHING = {
    "clip_norm": 0.05,
    "weight_decay": 0.3,
    "class_weights": "balanced",
    "schedule": "cosine",
    "warmup_steps": 2,
    "validation_share": 0.1,
}


@pytest.mark.slow
@pytest.mark.parametrize("given", [{}, EVERYTHING], ids=["plain", "everything"])
@pytest.mark.parametrize("name", ["wide_and_deep", "wide_and_deep batch", "dcn_v2 parallel"])
def test_both_trainers_take_equal_steps(
    name: str, given: dict[str, Any], small_features: Path
) -> None:
    from components.train_pytorch import training as on_pytorch
    from components.train_tensorflow import training as on_tensorflow

    values = {"epochs": 2, "batch_size": 160, "learning_rate": RATE} | given
    train, family = Train.model_validate(values), FAMILIES[name]
    spec, arrays = FeatureSpec.read(small_features), load_split(small_features, "train")
    (build_torch, torch_layers), (build_keras, keras_layers) = (
        on(framework, family) for framework in ("pytorch", "tensorflow")
    )
    pytorch, tensorflow = (build(spec, family, train.seed) for build in (build_torch, build_keras))
    steps = [
        on_pytorch.fit_model(pytorch, arrays, train),
        on_tensorflow.fit_model(tensorflow, arrays, train),
    ]
    assert steps[0].steps == steps[1].steps == 8
    assert steps[0].final_loss == pytest.approx(steps[1].final_loss, abs=1e-6)
    assert steps[0].validation_loss == pytest.approx(steps[1].validation_loss, abs=1e-6)
    ours, theirs = torch_layers.get_weights(pytorch), keras_layers.get_weights(tensorflow)
    for part, before in framework_free(family).initial_weights(spec, family, train.seed).items():
        assert np.abs(ours[part] - before).max() > 1e-3, part
        np.testing.assert_allclose(ours[part], theirs[part], atol=1e-4, err_msg=part)
