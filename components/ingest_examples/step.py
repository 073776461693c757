"""Ingest: read the source, join, label, drop with a reason, and write examples by span and split.

Rules:
1. every row of the main table is an example or is counted with the reason why not;
2. what is known only after the prediction never becomes a column of the examples;
3. equal sources and settings give equal bytes: rows keep the source's order, columns are sorted.

A timestamp serves joins and is left out of the examples, whose time is their span; the facts name
the columns left out. It judges no data beyond what an example needs: that is validation's.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from components.core.canonical import sha256_value
from components.core.errors import IntegrityError, SettingsError
from components.core.examples import ARROW_TYPES, ColumnType, ExamplesManifest, SourceRows, Split
from components.core.outcome import Outcome
from components.core.settings import DataCard, Section, Source, Window
from components.ingest_examples.joins import join_table
from components.ingest_examples.rows import (
    Selection,
    add_weekday,
    label,
    require_both_classes,
    select_rows,
)
from components.ingest_examples.shards import SPLITS, split_of, write_shards
from components.ingest_examples.tables import read_table


class IngestSettings(Section):
    """Where the rows come from, what the data is, and which spans of it a run takes."""

    source: Source
    card: DataCard
    window: Window


def ingest_examples(*, settings: IngestSettings, examples: Path) -> Outcome:
    """Read the source and write labelled examples by span and split."""
    source, window = settings.source, settings.window
    main = read_table(source.table)
    further = {name: read_table(join) for name, join in source.joins.items()}
    selection = select_rows(main.rows, source, window)
    rows = _label_and_join(selection, source, {n: t.rows for n, t in further.items()})
    rows, left_out = _without_leakage_and_times(rows, source)
    require_both_classes(rows[source.target.name].to_numpy(), selection.spans, window)
    manifest = ExamplesManifest(
        columns=_column_types(rows),
        label=source.target.name,
        splits=_splits(window),
        shards=write_shards(examples, rows, selection.spans, window),
        source=SourceRows(
            files=tuple(table.file for table in (main, *further.values())),
            rows=main.rows.num_rows,
        ),
        dropped=selection.dropped,
        rows=rows.num_rows,
        card_sha256=sha256_value(settings.card.model_dump(mode="json")),
    )
    _reconcile(manifest)
    manifest.write(examples)
    return _outcome(manifest, left_out)


def _label_and_join(selection: Selection, source: Source, further: dict[str, pa.Table]) -> pa.Table:
    rows = add_weekday(selection.rows, source)
    for name, join in source.joins.items():
        rows = join_table(rows, further[name], join, name)
    if source.target.name in rows.column_names:
        raise SettingsError(
            f"the label {source.target.name} is a column of the source",
            remedy="give source.target.name another name",
        )
    return label(rows, source.target)


def _without_leakage_and_times(rows: pa.Table, source: Source) -> tuple[pa.Table, list[str]]:
    """Return the example columns sorted by name, and the names of times that were left out."""
    times = [f.name for f in rows.schema if pa.types.is_timestamp(f.type)]
    names = set(rows.column_names) - set(times) - set(source.leakage)
    return rows.select(sorted(names)), sorted(times)


def _column_types(rows: pa.Table) -> dict[str, ColumnType]:
    names = {kind: name for name, kind in ARROW_TYPES.items()}
    return {field.name: names[field.type] for field in rows.schema}


def _splits(window: Window) -> dict[Split, tuple[str, ...]]:
    spans = window.spans()
    return {split: tuple(s for s in spans if split_of(s, window) == split) for split in SPLITS}


def _reconcile(manifest: ExamplesManifest) -> None:
    """Count again what was written: source rows = examples + dropped, examples = shards."""
    written = sum(shard.rows for shard in manifest.shards)
    dropped = sum(drop.rows for drop in manifest.dropped)
    if written != manifest.rows or manifest.source.rows != manifest.rows + dropped:
        raise IntegrityError(
            f"rows do not add up: {manifest.source.rows} read, {dropped} dropped with a reason, "
            f"{manifest.rows} kept, {written} written",
            remedy="report it with the settings and the source's digest",
            expected=manifest.source.rows,
            actual=written + dropped,
        )


def _outcome(manifest: ExamplesManifest, left_out: list[str]) -> Outcome:
    facts = {
        "rows": manifest.rows,
        "rows_by_split": {split: manifest.rows_of(split) for split in SPLITS},
        "source": manifest.source.model_dump(mode="json"),
        "dropped": [drop.model_dump(mode="json") for drop in manifest.dropped],
        "splits": {split: list(spans) for split, spans in manifest.splits.items()},
        "columns_left_out": left_out,
        "card_sha256": manifest.card_sha256,
    }
    return Outcome(facts=facts, metadata={"examples": {"rows": manifest.rows}})
