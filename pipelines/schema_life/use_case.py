"""A use case's data as a schema's life looks at it: by the steps of a run, in a folder that goes.

Rules:
1. rows come from the run's own step (ingest_examples) and statistics from the run's own code, so
   that what is said here is what a run would say;
2. the schema need not exist yet; where it is to be written follows from the settings alone;
3. but these statistics list every text of a column, where a run's list TFDV's 1,000 most frequent
   ones: a domain is reviewed against all of them;
4. rows and statistics lie in a temporary folder and are gone afterwards.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.core.data_settings import ONLY_SPAN, DataCard
from components.core.errors import SettingsError
from pipelines.settings import (
    RunSettings,
    load_card,
    parse_settings,
)
from pipelines.settings_file import (
    REPOSITORY,
    companion_places,
    find_settings,
    read_yaml,
    window_overrides,
)

if TYPE_CHECKING:
    from components.core.examples import ExamplesManifest
    from components.validate_examples.statistics import Statistics

Say = Callable[[str], None]


@dataclass(frozen=True)
class UseCase:
    """Settings with their card; `schema_path` may not exist (rule 2)."""

    settings: RunSettings
    card: DataCard
    folder: Path
    schema_path: Path

    @property
    def spans(self) -> str:
        """The window in words."""
        window = self.settings.window
        if window.first == ONLY_SPAN:
            return "the whole source"
        return window.first if window.first == window.last else f"{window.first} to {window.last}"


@dataclass(frozen=True)
class SplitStatistics:
    """What the splits of a window hold; the training split comes first.

    `whole` is the smallest and the largest value of each column of whole numbers, in which the
    statistics, being doubles, may be off.
    """

    splits: Mapping[str, Statistics]
    whole: Mapping[str, tuple[int, int]]
    label: str
    rows: int


def find_use_case(name: str, window: str | None, overrides: Sequence[str] = ()) -> UseCase:
    """Return the use case that a name, a settings file or its folder stands for."""
    path = find_settings(name)
    changed = [*overrides, *(window_overrides(window) if window else ())]
    settings = parse_settings(read_yaml(path), str(path), changed)
    return UseCase(
        settings=settings,
        card=load_card(path, settings),
        folder=path.resolve().parent,
        schema_path=_schema_path(path, settings.schema_file),
    )


def _schema_path(settings_file: Path, name: str) -> Path:
    """Return the schema's file: the one there is, else where settings will look for it first.

    The repository's own use cases keep theirs below the repository's root.
    """
    beside, below_root = companion_places(settings_file, name)
    for path in (beside, below_root):
        if path.is_file():
            return path
    is_ours = beside.is_relative_to(REPOSITORY) and below_root.parent.is_dir()
    return below_root if is_ours and not beside.parent.is_dir() else beside


def require_schema(use_case: UseCase, infer: str) -> Path:
    """Return the schema's file; raise SettingsError where there is none, naming how to get one."""
    path = use_case.schema_path
    if not path.is_file():
        raise SettingsError(f"there is no schema {path} yet", remedy=f"infer one: {infer}")
    return path


def read_statistics(use_case: UseCase, say: Say) -> SplitStatistics:
    """Ingest the window's rows and return their statistics by split."""
    from components.core.examples import SPLITS, ExamplesManifest
    from components.core.sources import use_sources
    from components.ingest_examples.step import IngestSettings, ingest_examples

    settings = use_case.settings
    use_sources(use_case.folder)
    with tempfile.TemporaryDirectory(prefix="tandem-schema-") as temporary:
        examples = Path(temporary)
        say(f"reading the rows of {use_case.spans}")
        ingest_examples(
            settings=IngestSettings(
                source=settings.source, card=use_case.card, window=settings.window
            ),
            examples=examples,
        )
        manifest = ExamplesManifest.read(examples)
        say("loading TFDV, which takes about ten seconds")
        with _held_back():
            from components.validate_examples.statistics import compute_all

        say(f"statistics of {manifest.rows} rows")
        computed = compute_all(examples, manifest, settings.beam, listed=None)
        whole = _whole_ranges(examples, manifest)
    splits: dict[str, Statistics] = {split: computed.splits[split] for split in SPLITS}
    return SplitStatistics(splits, whole, manifest.label, manifest.rows)


def _whole_ranges(examples: Path, manifest: ExamplesManifest) -> dict[str, tuple[int, int]]:
    """Return the range of each column of whole numbers that has a value."""
    import pyarrow.compute as pc

    from components.core.examples import iter_shard

    names = [name for name, kind in manifest.columns.items() if kind == "int64"]
    found: dict[str, tuple[int, int]] = {}
    for shard in manifest.shards:
        for rows in iter_shard(examples, manifest, shard, names):
            for name in names:
                low, high = pc.min_max(rows[name]).as_py().values()
                if low is not None:
                    before = found.get(name, (low, high))
                    found[name] = min(low, before[0]), max(high, before[1])
    return found


@contextmanager
def _held_back() -> Iterator[None]:
    """Keep what TensorFlow writes to standard error while it loads; show it where that fails."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(terminal, held.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
