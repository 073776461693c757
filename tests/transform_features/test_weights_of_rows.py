"""What a row counts in the loss: a column of the examples, carried to both trainers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from transform_run import FEATURES, Run

from components.core.errors import DataError
from components.core.examples import SPLITS, ExamplesManifest, iter_shard
from components.core.features import FeatureSpec, load_split

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def weighted(
    transform: Callable[..., Run], examples: Path, tmp_path_factory: pytest.TempPathFactory
) -> Run:
    return transform(tmp_path_factory.mktemp("weighted"), examples, sample_weight="distance")


def test_a_row_s_weight_lies_beside_its_features(weighted: Run, examples: Path) -> None:
    manifest = ExamplesManifest.read(examples)
    assert FeatureSpec.read(weighted.features).weight == "distance"
    assert weighted.outcome.facts["sample_weight"] == "distance"
    for split in SPLITS:
        arrays = load_split(weighted.features, split)
        expected = [
            table["distance"].to_numpy()
            for shard in manifest.shards_of(split)
            for table in iter_shard(examples, manifest, shard, ["distance"])
        ]
        assert arrays.weight is not None
        np.testing.assert_array_equal(arrays.weight, np.concatenate(expected).astype(np.float32))


def test_a_weight_changes_no_feature(weighted: Run, flights: Run) -> None:
    for split in SPLITS:
        one, other = load_split(flights.features, split), load_split(weighted.features, split)
        assert one.weight is None
        for name, array in one.named().items():
            np.testing.assert_array_equal(array, other.named()[name])


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("origin", "column origin has no numbers"),
        ("weather_temp", r"row \d+ \(from 0\) of the train examples has no weight in weather_temp"),
        ("late", r"row \d+ \(from 0\) of the train examples has no weight in late"),
    ],
)
def test_a_column_that_is_no_weight_is_refused(
    transform: Callable[..., Run], examples: Path, tmp_path: Path, column: str, said: str
) -> None:
    hour = {"hour": FEATURES["hour"]}
    with pytest.raises(DataError, match=said):
        transform(tmp_path, examples, features=hour, sample_weight=column)
