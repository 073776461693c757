"""Texts of data and settings on a model card: shown as they are, whatever they hold."""

from __future__ import annotations

from typing import Any

import pytest
import tiny_bundles

from components.core.bundle import Bundle
from components.register_models.described import Described
from components.register_models.lineage import Work
from components.register_models.model_card import model_card

HOSTILE = {
    r"\[click](http://evil)": r"\\\[click\]\(http\:\/\/evil\)",
    r"a\|b": r"a\\\|b",
    "> x": r"\> x",
    "- x": r"\- x",
    "<b>": r"\<b\>",
    "1. x": r"1\. x",
    "`x` ![y](z) &lt; www.evil.org ~~z~~": (r"\`x\` \!\[y\]\(z\) \&lt\; www\.evil\.org \~\~z\~\~"),
    "one\n\n# two\r\n    three": r"one \# two three",
}


def _card(tmp_path: Any, text: str) -> list[str]:
    """Return the lines of a card on which a person and the data say a text."""
    bundle = Bundle.open(tiny_bundles.write_bundle(tmp_path / "bundle", "pytorch"))
    audit = {
        "facts": {
            "rows_by_split": {"train": 5},
            "splits": {"train": [text]},
            "dropped": [{"rows": 1, "reason": text}],
        },
        "settings": {"card": {"purpose": text, "known_gaps": [text]}},
    }
    metric = {"value": 0.75, "lower": 0.5, "upper": 1.0, "method": text}
    models = {"pytorch": {"slices": {"overall": {"auc": metric}, text: {"n": 3}}}}
    gate = {"name": text, "value": 0.75, "operator": ">=", "threshold": 0.5, "passed": True}
    described = Described(
        model_name="flights",
        role="candidate",
        run={"id": "run-1"},
        contract=bundle.contract,
        bundle_sha256="1" * 64,
        made={"examples": Work("2" * 64, audit)},
        evaluation={"models": models},
        decision={"gates": {"pytorch": [gate]}, "reasons": [text]},
    )
    return model_card(described).split("\n")


@pytest.mark.parametrize(("text", "shown"), HOSTILE.items(), ids=repr)
def test_a_text_on_the_card_becomes_no_markup(tmp_path, text, shown):
    lines = _card(tmp_path, text)
    for line in (
        shown,
        f"- {shown}",
        f"- train: 5 rows of {shown}",
        f"- Left out: 1 rows, {shown}",
        f"| AUC | 0.7500 (0.5000 to 1.0000) | {shown} |",
        f"| {shown} | 3 | - | - | - | - |",
        f"| {shown} | overall | 0.75 | \\>\\= 0.5 | passed |",
    ):
        assert line in lines, line


def test_the_card_of_an_imported_model_claims_no_training(tmp_path):
    bundle = Bundle.open(tiny_bundles.write_bundle(tmp_path / "bundle", "imported"))
    examples = {
        "facts": {
            "rows_by_split": {"train": 7, "eval": 5},
            "splits": {"train": ["2013-11"], "eval": ["2013-12"]},
        },
        "settings": {
            "card": {"purpose": "tests"},
            "window": {"first": "2013-11", "last": "2013-12"},
        },
    }
    given = {"name": "<m>.onnx", "format": "onnx", "sha256": "4" * 64}
    described = Described(
        model_name="flights",
        role="candidate",
        run={"id": "run-1"},
        contract=bundle.contract,
        bundle_sha256="1" * 64,
        made={
            "examples": Work("2" * 64, examples),
            "imported_model": Work("3" * 64, {"facts": {"given": given}}),
        },
        evaluation={"models": {"imported": {"slices": {"overall": {"n": 5}}}}},
        decision={},
    )
    card = model_card(described)
    assert "- Model: trained elsewhere, 5 parameters" in card
    assert f"- Given as: \\<m\\>\\.onnx, sha256 {'4' * 64}" in card
    training, measured = card.split("### Data It Was Measured On")
    assert "Not known: the model was trained elsewhere." in training
    assert "- eval: 5 rows of 2013\\-12" in measured
    assert "2013\\-11" not in measured.replace("- Window: 2013\\-11\\:2013\\-12", "")
    assert "- train:" not in card


def _card_of(tmp_path: Any, evaluation: dict[str, Any]) -> str:
    bundle = Bundle.open(tiny_bundles.write_bundle(tmp_path / "bundle", "pytorch"))
    described = Described(
        model_name="prices",
        role="candidate",
        run={"id": "run-1"},
        contract=bundle.contract,
        bundle_sha256="1" * 64,
        made={},
        evaluation=evaluation,
        decision={},
    )
    return model_card(described)


LOSS = {"value": 12.5, "lower": 10.0, "upper": 15.0, "method": "normal"}


def test_the_card_of_a_number_tells_its_errors(tmp_path):
    overall = {"n": 5, "mean_squared_error": LOSS, "r2": None}
    models = {"pytorch": {"slices": {"overall": overall}}}
    card = _card_of(tmp_path, {"task": "regression", "label": "price", "models": models})
    assert "type: mse" in card
    head = (
        "| slice | rows | mean squared error | mean absolute error | root mean squared error | R2 |"
    )
    assert head in card
    assert r"| overall | 5 | 12.5000 (10.0000 to 15.0000) | - | - | - |" in card


def test_the_card_of_several_classes_tells_their_metrics(tmp_path):
    models = {"pytorch": {"slices": {"overall": {"n": 5, "log_loss": LOSS}}}}
    classes = {"task": "multi_class", "label": "cut", "classes": ["a", "b"], "models": models}
    card = _card_of(tmp_path, classes)
    assert "| slice | rows | log loss | accuracy | macro AUC | calibration error |" in card


def _apart(value: float, groups: tuple[str, str] = ("a|b", "c")) -> dict[str, Any]:
    highest, lowest = groups
    bounds = {"lower": value - 0.05, "upper": value + 0.05}
    return {
        "value": value,
        **bounds,
        "method": "mover_wilson",
        "highest": highest,
        "lowest": lowest,
    }


def test_the_card_tells_how_far_the_groups_of_sensitive_columns_lie_apart(tmp_path):
    bundle = Bundle.open(tiny_bundles.write_bundle(tmp_path / "bundle", "pytorch"))
    groups = {
        "groups": {"a|b": {"n": 300}, "c": {"n": 200}},
        "differences": {"selection_rate": _apart(0.25), "true_positive_rate": None},
        "ratios": {"selection_rate": _apart(0.5), "true_positive_rate": None},
        "left_out": 2,
    }
    slices = {"overall": {"auc": {"value": 0.75, "lower": 0.5, "upper": 1.0, "method": "delong"}}}
    described = Described(
        model_name="flights",
        role="candidate",
        run={"id": "run-1"},
        contract=bundle.contract,
        bundle_sha256="1" * 64,
        made={},
        evaluation={"models": {"pytorch": {"slices": slices, "fairness": {"born": groups}}}},
        decision={"gates": {}, "reasons": []},
    )
    lines = model_card(described).split("\n")
    assert "### By group" in lines
    told = "a\\|b over c | 0.2500 (0.2000 to 0.3000) | 0.5000 (0.4500 to 0.5500)"
    assert f"| born | selection rate | {told} |" in lines
    assert "- born: 500 rows in 2 groups; 2 smaller ones were not compared" in lines
    assert not any("true positive rate" in line for line in lines)


def test_a_card_without_sensitive_columns_says_nothing_of_groups(tmp_path):
    assert "### By group" not in _card(tmp_path, "x")
