"""A window's data as a schema's life looks at it: by the steps of a run, in a folder that goes.

Rules:
1. rows come from the run's own step (ingest_examples), statistics from the run's own code with NaN
   among the missing values, as the run's gates have it, and whole numbers from the rows, because
   statistics are doubles: what is said here is what a run would say;
2. but these statistics list every text of a column, where a run's list TFDV's 1,000 most frequent
   ones, because a domain is made of all of them;
3. rows and statistics lie in a temporary folder and are gone afterwards.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from components.core.data_settings import Beam
from components.core.examples import SPLITS, ExamplesManifest, iter_shard
from pipelines.loading import loading_quietly
from pipelines.schema_life.use_case import UseCase

if TYPE_CHECKING:
    from components.validate_examples.statistics import Statistics

Say = Callable[[str], None]
Ranges = Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class WindowData:
    """What the splits of a window hold; the training split comes first.

    `whole` has for each split the smallest and the largest value of each column of whole numbers
    that has one.
    """

    examples: Path
    manifest: ExamplesManifest
    splits: Mapping[str, Statistics]
    whole: Mapping[str, Ranges]

    def without_label(self) -> WindowData:
        """Return the same rows as they are served."""
        from components.validate_examples.page_features import name_of
        from components.validate_examples.statistics import Statistics

        label, served = self.manifest.label, {}
        for split, statistics in self.splits.items():
            served[split] = Statistics()
            served[split].CopyFrom(statistics)
            features = served[split].datasets[0].features
            kept = [feature for feature in features if name_of(feature) != label]
            del features[:]
            features.extend(kept)
        columns = {name: kind for name, kind in self.manifest.columns.items() if name != label}
        manifest = self.manifest.model_copy(update={"columns": columns})
        return replace(self, manifest=manifest, splits=served)


@contextmanager
def window_data(use_case: UseCase, say: Say) -> Iterator[WindowData]:
    """Ingest the window's rows and give what they hold, for as long as the folder lasts."""
    from components.core.sources import use_sources
    from components.ingest_examples.step import IngestSettings, ingest_examples

    settings = use_case.settings
    use_sources(use_case.folder)
    with tempfile.TemporaryDirectory(prefix="tandem-schema-") as temporary:
        examples = Path(temporary)
        say(f"reading the rows of {use_case.spans}")
        wanted = IngestSettings(source=settings.source, card=use_case.card, window=settings.window)
        ingest_examples(settings=wanted, examples=examples)
        say("loading TFDV, which takes about ten seconds")
        with loading_quietly():
            import components.validate_examples.statistics  # noqa: F401
        say(f"statistics of {ExamplesManifest.read(examples).rows} rows")
        yield read_window(examples, settings.beam)


def read_window(examples: Path, beam: Beam, listed: int | None = None) -> WindowData:
    """Return what examples hold; `listed` is how many texts of a column are listed, None for all.

    A column of too many texts to count them exactly lists fewer all the same.
    """
    from components.validate_examples.statistics import compute_all, with_nan_missing

    manifest = ExamplesManifest.read(examples)
    computed = compute_all(examples, manifest, beam, listed).splits
    return WindowData(
        examples,
        manifest,
        splits={split: with_nan_missing(computed[split]) for split in SPLITS},
        whole={split: _whole_ranges(examples, manifest, split) for split in SPLITS},
    )


def _whole_ranges(examples: Path, manifest: ExamplesManifest, split: str) -> Ranges:
    """Return the range of each column of whole numbers that has a value."""
    import pyarrow.compute as pc

    names = [name for name, kind in manifest.columns.items() if kind == "int64"]
    found: dict[str, tuple[int, int]] = {}
    for shard in manifest.shards_of(split):
        for rows in iter_shard(examples, manifest, shard, names):
            for name in names:
                low, high = pc.min_max(rows[name]).as_py().values()
                if low is not None:
                    before = found.get(name, (low, high))
                    found[name] = min(low, before[0]), max(high, before[1])
    return found
