"""The digest of a stage's code, by what its record keeps of the settings."""

from __future__ import annotations

import pytest

from components.core.canonical import sha256_value
from components.core.code import module_digests
from components.core.errors import SettingsError
from pipelines.cli.recorded_here import modules_digest


def test_where_the_champion_lay_is_not_needed_to_know_the_evaluations_code() -> None:
    champion = {"version": "3", "bundle_sha256": "0" * 64}
    settings = {"evaluate": {}, "beam": {}, "champion": champion}
    expected = sha256_value(module_digests(["components.evaluate_models.step"]))
    assert modules_digest("evaluate_models", settings) == expected


def test_a_user_s_modules_are_part_of_the_code_of_who_calls_them() -> None:
    settings = {"model": {"family": "wide_and_deep"}, "train": {}}
    assert modules_digest("train_pytorch", settings)
    with pytest.raises(SettingsError, match="takes other settings now"):
        modules_digest("train_pytorch", {"model": {"familiar": "x"}, "train": {}})
