"""A form of a Keras model that is not the model is refused, whatever of it was changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from every_family import FAMILIES, on

from components.core.errors import SettingsError
from components.core.features import FeatureSpec, load_split
from components.core.settings import FormName
from components.training.evidence import Evidence
from components.training.parity import Evaluated
from components.training.proof import Prover, Written
from components.training.sealing import Preprocessing

pytestmark = pytest.mark.slow


@pytest.fixture
def model(small_spec: FeatureSpec) -> Any:
    build, _ = on("tensorflow", FAMILIES["wide_and_deep"])
    return build(small_spec, FAMILIES["wide_and_deep"], 3)


@pytest.fixture
def evidence(
    model: Any, small_spec: FeatureSpec, small_features: Path, tft_graph: Path
) -> Evidence:
    from components.train_tensorflow.export import predictor, scored

    predict = predictor(scored(model, small_spec))
    evaluated = Evaluated.by(predict, load_split(small_features, "eval"))
    return Preprocessing.read(tft_graph).evidence(predict, evaluated)


Write = Callable[[Any], Written]


@pytest.fixture
def write(form: FormName, small_spec: FeatureSpec, tft_graph: Path, tmp_path: Path) -> Write:
    """Return what writes the form of a model of probabilities."""
    from components.train_tensorflow.litert import write_litert
    from components.train_tensorflow.saved_model import write_saved_model

    if form == "litert":
        return lambda scored: write_litert(tmp_path, scored, small_spec)
    return lambda scored: write_saved_model(tmp_path, scored, Preprocessing.read(tft_graph))


def with_another_weight(model: Any, spec: FeatureSpec, write: Write, path: Path) -> None:
    from components.train_tensorflow.export import scored

    first, *others = model.get_weights()
    model.set_weights([first + 0.1, *others])
    write(scored(model, spec))


def without_the_sigmoid(model: Any, spec: FeatureSpec, write: Write, path: Path) -> None:
    import keras

    inputs = {
        "dense": keras.Input((len(spec.dense),), name="dense"),
        "ids": keras.Input((len(spec.ids),), dtype="int32", name="ids"),
    }
    write(keras.Model(inputs, keras.ops.squeeze(model(inputs), axis=1)))


def with_another_output(model: Any, spec: FeatureSpec, write: Write, path: Path) -> None:
    file = path / "saved_model.pb" if path.is_dir() else path
    content = file.read_bytes()
    assert b"probability" in content
    file.write_bytes(content.replace(b"probability", b"likelihoods"))


@pytest.mark.parametrize("form", ["saved_model", "litert"])
def test_a_form_that_was_not_changed_is_proven(
    form: FormName,
    model: Any,
    evidence: Evidence,
    write: Write,
    small_spec: FeatureSpec,
    tmp_path: Path,
) -> None:
    from components.train_tensorflow.export import scored

    assert Prover("saved_model").prove(tmp_path, [write(scored(model, small_spec))], evidence)


@pytest.mark.parametrize("form", ["saved_model", "litert"])
@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (with_another_weight, "the {form} form differs from the framework by"),
        (without_the_sigmoid, "the {form} form differs from the framework by"),
        (with_another_output, "the {form} form gives likelihoods, not one of probability,"),
    ],
)
def test_a_form_that_was_changed_is_refused(
    form: FormName,
    change: Callable[[Any, FeatureSpec, Write, Path], None],
    cause: str,
    model: Any,
    evidence: Evidence,
    write: Write,
    small_spec: FeatureSpec,
    tmp_path: Path,
) -> None:
    from components.train_tensorflow.export import scored

    written = write(scored(model, small_spec))
    change(model, small_spec, write, tmp_path / written.path)
    with pytest.raises(SettingsError, match=cause.format(form=form)):
        Prover("saved_model").prove(tmp_path, [written], evidence)
