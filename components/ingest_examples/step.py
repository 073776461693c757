"""Ingest: read the source, join, label, drop with a reason, and write examples by span and split.

Rules:
1. every row of the main table is an example or is counted with the reason why not;
2. what is known only after the prediction never becomes a column of the examples;
3. equal sources and settings give equal bytes: rows keep the source's order, columns are sorted;
4. the main table goes through in batches, so memory does not grow with it; further tables, which
   are joined, are held whole.

A timestamp serves spans, joins and `dates`, and is left out of the examples itself; the facts name
the columns left out. It judges no data beyond what an example needs: that is validation's.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from itertools import groupby
from pathlib import Path

import pyarrow as pa

from components.audit.subjects import FACT
from components.core.batches import evenly
from components.core.canonical import sha256_value
from components.core.data_settings import DataCard, Join, Source, Window
from components.core.errors import IntegrityError
from components.core.examples import (
    ARROW_TYPES,
    SPLITS,
    ColumnType,
    ExamplesManifest,
    Shard,
    SourceFile,
    SourceRows,
    Split,
)
from components.core.outcome import Outcome
from components.core.settings import Section
from components.ingest_examples.joins import require_columns
from components.ingest_examples.rows import Selection
from components.ingest_examples.shape import Shape, used_columns
from components.ingest_examples.shards import ShardWriter
from components.ingest_examples.spans import spans_of
from components.ingest_examples.splits import divide, require_keys, require_splits
from components.ingest_examples.subjects import Subjects
from components.ingest_examples.tally import Tally, tally_of
from components.reading.tables import OpenedTable, open_table


class IngestSettings(Section):
    """Where the rows come from, what the data is, and which spans of it a run takes."""

    source: Source
    card: DataCard
    window: Window


def ingest_examples(*, settings: IngestSettings, examples: Path) -> Outcome:
    """Read the source and write labelled examples by span and split."""
    source, window = settings.source, settings.window
    further, further_files = _read_joins(source)
    located = window.spans() if source.spans.from_location else None
    main = open_table(source.table, located)
    require_splits(source, main.splits)
    _require_dates(main, (source.spans.column, *source.dates))
    shape = Shape(main.schema, source, further)
    selection = Selection(source, window)
    tally = tally_of(source.target, window)
    subjects = Subjects(source.subject, window.spans())
    with ShardWriter(examples, shape.schema, window.spans()) as writer:
        _pass_rows(main, source, selection, shape, tally, writer, subjects)
        selection.require_every_span()
        require_keys(tally.without_key, source.splits)
        tally.require_labels()
        shape.require_partners(tally.total)
        shards = writer.close()
    manifest = ExamplesManifest(
        columns=_column_types(shape.schema),
        label=source.target.name,
        task=source.target.task,
        classes=source.target.classes or (),
        splits=_splits(shards),
        shards=shards,
        source=SourceRows(files=(*main.files(), *further_files), rows=selection.rows),
        dropped=selection.dropped(),
        rows=tally.total,
        card_sha256=sha256_value(settings.card.model_dump(mode="json")),
    )
    _reconcile(manifest, tally)
    manifest.write(examples)
    return _outcome(manifest, shape, subjects.store())


def _read_joins(source: Source) -> tuple[dict[str, pa.Table], tuple[SourceFile, ...]]:
    """Return the tables to join, whole, and their files."""
    tables: dict[str, pa.Table] = {}
    files: tuple[SourceFile, ...] = ()
    for name, join in source.joins.items():
        opened = open_table(join)
        require_columns(opened.schema, [*join.on, *join.columns], f"table {name}")
        dates = {column for column in join.columns if join.prefix + column in source.dates}
        _require_dates(opened, dates | {*join.shift_hours})
        tables[name] = _read_whole(opened, join)
        files += opened.files()
    return tables, files


def _require_dates(table: OpenedTable, columns: Container[str | None]) -> None:
    """Raise DataError for columns of dates that are text, where some of it is no date.

    Others say what is wrong with a column that is no date at all.
    """
    for field in table.schema:
        if field.name in columns and pa.types.is_string(field.type):
            table.require_dates(field.name)


def _read_whole(opened: OpenedTable, join: Join) -> pa.Table:
    names = [name for name in opened.schema.names if name in {*join.on, *join.columns}]
    schema = pa.schema([opened.schema.field(name) for name in names])
    return pa.Table.from_batches([part.rows for part in opened.batches(names)], schema)


def _pass_rows(
    main: OpenedTable,
    source: Source,
    selection: Selection,
    shape: Shape,
    tally: Tally,
    writer: ShardWriter,
    subjects: Subjects,
) -> None:
    """Send every row of the main table to its shard, or to the reason why it is dropped."""
    last = len(selection.spans) - 1
    for rows, span in _batches(main, used_columns(main.schema, source)):
        keep, places = selection.select(rows, spans_of(rows, source.spans, span))
        kept = rows if keep.all() else rows.filter(pa.array(keep))
        parting = divide(kept, source.splits, places == last)
        shards = 2 * places + parting.evaluated
        examples = shape.examples(kept, span)
        tally.add(shards, examples[source.target.name])
        tally.without_key += parting.without_key
        writer.add(examples, shards)
        subjects.add(kept, shards)


def _batches(main: OpenedTable, names: list[str]) -> Iterator[tuple[pa.Table, str | None]]:
    """Yield rows in batches of one size, however they lie in files, each with its file's span."""
    for span, parts in groupby(main.batches(names), lambda part: part.span):
        for rows in evenly(part.rows for part in parts):
            yield pa.Table.from_batches([rows]), span


def _column_types(schema: pa.Schema) -> dict[str, ColumnType]:
    names = {kind: name for name, kind in ARROW_TYPES.items()}
    return {field.name: names[field.type] for field in schema}


def _splits(shards: tuple[Shard, ...]) -> dict[Split, tuple[str, ...]]:
    return {split: tuple(s.span for s in shards if s.split == split) for split in SPLITS}


def _reconcile(manifest: ExamplesManifest, tally: Tally) -> None:
    """Compare what was read, counted and written: read = examples + dropped, examples = shards."""
    written = {(shard.split, shard.span): shard.rows for shard in manifest.shards}
    dropped = sum(drop.rows for drop in manifest.dropped)
    if written != tally.by_shard() or manifest.source.rows != manifest.rows + dropped:
        total = sum(written.values())
        raise IntegrityError(
            f"rows do not add up: {manifest.source.rows} read, {dropped} dropped with a reason, "
            f"{manifest.rows} kept, {total} written",
            remedy="report it with the settings and the source's digest",
            expected=manifest.source.rows,
            actual=total + dropped,
        )


def _outcome(manifest: ExamplesManifest, shape: Shape, subjects_root: str | None) -> Outcome:
    facts = {
        "rows": manifest.rows,
        "rows_by_split": {split: manifest.rows_of(split) for split in SPLITS},
        "source": manifest.source.model_dump(mode="json"),
        "shards": [shard.model_dump(mode="json") for shard in manifest.shards],
        "dropped": [drop.model_dump(mode="json") for drop in manifest.dropped],
        "splits": {split: list(spans) for split, spans in manifest.splits.items()},
        "columns_left_out": shape.left_out,
        "rows_without_partner": shape.without_partner,
        "card_sha256": manifest.card_sha256,
    }
    if subjects_root is not None:
        facts[FACT] = subjects_root
    return Outcome(facts=facts, metadata={"examples": {"rows": manifest.rows}})
