"""What keeps `make test-fast` fast."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from tried_examples import tries

TESTS = Path(__file__).resolve().parents[1]
# Seconds each; a test module imports them inside of what needs them.
HEAVY = {
    "apache_beam",
    "keras",
    "mlflow",
    "sklearn",
    "tensorflow",
    "tensorflow_data_validation",
    "tensorflow_transform",
    "tfx",
    "torch",
}


def test_collecting_the_tests_loads_no_heavy_library(loaded_by_collecting: frozenset[str]) -> None:
    assert loaded_by_collecting & HEAVY == set()


@pytest.mark.parametrize(("profile", "tried"), [("fast", [15, 10]), ("thorough", [500, 10])])
def test_a_test_that_asks_for_many_examples_tries_few_in_the_inner_loop(
    profile: str, tried: list[int]
) -> None:
    before = settings.get_current_profile_name()
    settings.load_profile(profile)
    try:
        assert [tries(500).max_examples, tries(10).max_examples] == tried
        assert tries(500).deadline is None
    finally:
        settings.load_profile(before)


def test_every_test_module_has_a_name_of_its_own() -> None:
    """Test folders are no packages, so that two modules of one name cannot both be collected."""
    names = [path.name for path in TESTS.rglob("*.py") if path.name != "conftest.py"]
    assert sorted({name for name in names if names.count(name) > 1}) == []
