"""A bundle is used only when its contract is valid and every byte is the one it names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.core.bundle import Bundle, OnnxScorer
from components.core.canonical import canonical_json, parse_json
from components.core.contract import Contract, Form, Input, Output
from components.core.errors import IntegrityError
from components.core.form_proof import AnyQuality, ClassQuality, Parity, Quality, ValueQuality

CONTRACTS = Path(__file__).parent / "contracts"
REASONS = {
    "a_batch_of_no_rows": "forms[0].parity.batch_sizes",
    "a_class_named_twice": "$.output.classes",
    "a_digest_in_capitals": "files['model.onnx']",
    "a_form_of_8_bits_that_calls_rows_otherwise": "not within its tolerance",
    "a_form_of_8_bits_that_lost_too_much": "not within its tolerance",
    "a_form_of_8_bits_with_a_proof_of_two_kinds": "$.forms[3].quality",
    "a_form_of_8_bits_that_is_too_far_off": "not within its tolerance",
    "a_form_of_8_bits_with_another_forms_proof": "$.forms[3]",
    "a_form_that_is_no_file": "not among the files",
    "a_form_that_takes_something_else": "forms[0].takes",
    "a_form_with_two_proofs": "$.forms[0]: False schema does not allow",
    "a_form_without_a_proof": "'parity' is a required property",
    "a_missing_digest_of_the_weights": "'weights_sha256' is a required property",
    "a_negative_number_of_parameters": "$.parameters",
    "a_trained_model_without_its_transform": "'transform_sha256' is a required property",
    "an_imported_model_with_a_transform_of_ours": "False schema does not allow '1111",
    "a_path_out_of_the_bundle": "'../model.onnx'",
    "a_proof_over_its_tolerance": "not within its tolerance",
    "a_proof_over_no_rows": "forms[0].parity.rows",
    "a_set_without_operators": "forms[0].operators",
    "an_absolute_path": "'/model.onnx'",
    "an_agreement_over_one": ".quality.agreement",
    "an_id_feature_without_its_size": "'size' is a required property",
    "an_input_of_int64": "inputs[0].dtype",
    "an_unknown_form": "forms[0].name",
    "an_unknown_framework": "$.framework",
    "an_unknown_key": "'trained_at' was unexpected",
    "another_output": "$.output.name",
    "another_version": "$.version",
    "classes_of_a_value": "$.output: False schema does not allow",
    "no_forms": "$.forms",
    "no_inputs": "$.inputs",
    "preprocessing_that_is_not_carried": "$.carried.preprocessing",
    "preprocessing_that_is_no_file": "preprocessing.onnx, which is not a file",
    "probabilities_of_no_classes": "'classes' is a required property",
    "two_forms_of_one_name": "two forms",
    "two_inputs_of_one_name": "two inputs",
}

digests = st.text("0123456789abcdef", min_size=64, max_size=64)
names = st.text("abcdefgh_", min_size=1, max_size=12)
parities = st.builds(
    Parity,
    rows=st.integers(1, 10**6),
    batch_sizes=st.sampled_from([(), (1,), (1, 7, 1024)]),
    max_abs_difference=st.floats(0, 1e-5),
    tolerance=st.floats(1e-5, 1e-3),
)
qualities = st.builds(
    Quality,
    rows=st.integers(1, 10**6),
    batch_sizes=st.sampled_from([(1,), (1, 7, 1024)]),
    auc=st.floats(0.7, 1),
    framework_auc=st.floats(0, 0.7),
    auc_tolerance=st.floats(0, 1),
    agreement=st.floats(0.5, 1),
    least_agreement=st.floats(0, 0.5),
)
qualities |= st.builds(
    ClassQuality,
    rows=st.integers(1, 10**6),
    batch_sizes=st.just((1, 7, 1024)),
    accuracy=st.floats(0.7, 1),
    framework_accuracy=st.floats(0, 0.7),
    accuracy_tolerance=st.floats(0, 1),
    agreement=st.floats(0.5, 1),
    least_agreement=st.floats(0, 0.5),
)
qualities |= st.builds(
    ValueQuality,
    rows=st.integers(1, 10**6),
    batch_sizes=st.just((1, 7, 1024)),
    error=st.floats(0, 0.05),
    error_tolerance=st.floats(0.05, 1),
)
proofs = st.one_of(
    parities.map(lambda parity: {"name": "onnx", "parity": parity}),
    qualities.map(lambda quality: {"name": "onnx_int8_static", "quality": quality}),
)
operators = st.dictionaries(
    st.sampled_from(["ai.onnx", "aten"]), st.sets(names, min_size=1).map(tuple), max_size=2
)
inputs = st.lists(
    st.builds(Input, name=names, dtype=st.sampled_from(["float32", "string"])),
    min_size=1,
    max_size=5,
    unique_by=lambda column: column.name,
)


outputs = st.one_of(
    st.sampled_from(["binary", "regression"]).map(Output.of),
    st.lists(names, min_size=3, max_size=9, unique=True).map(
        lambda classes: Output.of("multi_class", tuple(classes))
    ),
)


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    path = draw(st.sampled_from(["model.onnx", "forms/a.onnx", ".hidden", "x"]))
    form = Form(path=path, takes="raw_rows", opset=18, operators=draw(operators), **draw(proofs))
    framework = draw(st.sampled_from(["pytorch", "tensorflow", "imported"]))
    return Contract(
        framework=framework,
        family=draw(st.sampled_from(["wide_and_deep", "custom"])),
        inputs=tuple(draw(inputs)),
        output=draw(outputs),
        forms=(form,),
        files={path: draw(digests)},
        transform_sha256=None if framework == "imported" else draw(digests),
        weights_sha256=draw(digests),
        parameters=draw(st.integers(0, 10**9)),
        preprocessing=draw(st.sampled_from([None, path])),
    )


PARITY = Parity(rows=9, max_abs_difference=1e-6, tolerance=1e-5)
OF_CLASSES = {"rows": 9, "batch_sizes": (1,), "agreement": 0.99, "least_agreement": 0.98}
QUALITY = Quality(auc=0.75, framework_auc=0.875, auc_tolerance=0.125, **OF_CLASSES)
CLASS_QUALITY = ClassQuality(
    accuracy=0.75, framework_accuracy=0.875, accuracy_tolerance=0.125, **OF_CLASSES
)
VALUE_QUALITY = ValueQuality(rows=9, batch_sizes=(1,), error=0.05, error_tolerance=0.05)


@pytest.mark.parametrize(
    ("proof", "compared"),
    [
        (PARITY, {"max_abs_difference": (1e-6, "<=", 1e-5)}),
        (QUALITY, {"auc_loss": (0.125, "<=", 0.125), "agreement": (0.99, ">=", 0.98)}),
        (CLASS_QUALITY, {"accuracy_loss": (0.125, "<=", 0.125), "agreement": (0.99, ">=", 0.98)}),
        (VALUE_QUALITY, {"error": (0.05, "<=", 0.05)}),
    ],
)
def test_a_proof_says_what_it_compared(
    proof: AnyQuality | Parity, compared: dict[str, tuple[float, str, float]]
) -> None:
    gates = proof.gates("onnx")
    assert {g.metric: (g.value, g.operator, g.threshold) for g in gates} == compared
    assert {(g.name, g.n) for g in gates} == {(f"onnx {metric}", 9) for metric in compared}
    assert proof.holds


@pytest.mark.parametrize(
    ("proof", "worse"),
    [
        (PARITY, {"max_abs_difference": 2e-5}),
        (PARITY, {"max_abs_difference": float("nan")}),
        (QUALITY, {"auc": 0.74}),
        (QUALITY, {"agreement": 0.97}),
        (CLASS_QUALITY, {"accuracy": 0.74}),
        (CLASS_QUALITY, {"agreement": 0.97}),
        (VALUE_QUALITY, {"error": 0.06}),
        (VALUE_QUALITY, {"error": float("nan")}),
    ],
)
def test_a_proof_with_a_worse_number_does_not_hold(
    proof: AnyQuality | Parity, worse: dict[str, float]
) -> None:
    assert not proof.model_copy(update=worse).holds


@given(contracts())
def test_a_contract_reads_what_it_writes(contract: Contract) -> None:
    again = Contract.from_dict(parse_json(canonical_json(contract.to_dict())))
    assert again == contract
    assert again.task == contract.output.task


@pytest.mark.parametrize("path", sorted(CONTRACTS.glob("valid/*.json")), ids=lambda p: p.stem)
def test_a_valid_contract_comes_back_as_it_was(path: Path) -> None:
    value = json.loads(path.read_text())
    assert Contract.from_dict(value).to_dict() == value


def test_every_rule_has_its_invalid_contract() -> None:
    assert {path.stem for path in CONTRACTS.glob("invalid/*.json")} == set(REASONS)


@pytest.mark.parametrize("name", sorted(REASONS))
def test_a_contract_that_breaks_a_rule_is_refused(name: str) -> None:
    value = json.loads((CONTRACTS / "invalid" / f"{name}.json").read_text())
    with pytest.raises(IntegrityError) as caught:
        Contract.from_dict(value)
    assert REASONS[name] in caught.value.message


def test_an_untouched_bundle_opens_wherever_it_lies(small_bundle: Path, tmp_path: Path) -> None:
    elsewhere = shutil.copytree(small_bundle, tmp_path / "elsewhere")
    assert Bundle.open(elsewhere).sha256 == Bundle.open(small_bundle).sha256


def test_a_changed_byte_closes_the_bundle(small_bundle: Path) -> None:
    model = small_bundle / "model.onnx"
    *others, last = model.read_bytes()
    model.write_bytes(bytes([*others, last ^ 1]))
    with pytest.raises(IntegrityError, match=r"changed: model\.onnx"):
        Bundle.open(small_bundle)


def test_an_extra_file_closes_the_bundle(small_bundle: Path) -> None:
    (small_bundle / "more.bin").write_bytes(b"x")
    with pytest.raises(IntegrityError, match=r"extra: more\.bin"):
        Bundle.open(small_bundle)


def test_a_missing_file_closes_the_bundle(small_bundle: Path) -> None:
    (small_bundle / "model.onnx").unlink()
    with pytest.raises(IntegrityError, match=r"missing: model\.onnx"):
        Bundle.open(small_bundle)


def test_a_form_that_the_bundle_does_not_have_is_an_error(small_bundle: Path) -> None:
    with pytest.raises(IntegrityError, match="no form saved_model"):
        Bundle.open(small_bundle).path("saved_model")


def rows(**columns: Any) -> pa.Table:
    types = {"delay": pa.float64(), "hour": pa.int64()}
    return pa.table({n: pa.array(v, types.get(n, pa.string())) for n, v in columns.items()})


def test_the_scorer_takes_rows_as_examples_hold_them(small_bundle: Path) -> None:
    table = rows(delay=[46.0, None], hour=[12, None], carrier=["AA", None], origin=["LGA", "?"])
    probability = OnnxScorer(Bundle.open(small_bundle)).predict(table)
    # The handmade model adds up its features: 1 + 0 + 0 + 1, and 0 + 0 + 3 + 2 for nothing at all.
    assert probability.dtype == np.float32
    np.testing.assert_allclose(probability, 1 / (1 + np.exp([-2.0, -5.0])), rtol=1e-6)


def test_the_scorer_takes_no_rows(small_bundle: Path) -> None:
    table = rows(delay=[], hour=[], carrier=[], origin=[])
    assert OnnxScorer(Bundle.open(small_bundle)).predict(table).shape == (0,)
