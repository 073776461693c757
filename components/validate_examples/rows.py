"""One pass over all rows: labels, repeats, and where the rows are that broke a rule.

Why: what statistics cannot say is said here, row group by row group, so that no split is ever held
in memory whole.

Rules: a row's number counts from 0 within its shard, in the shard's order; the first five are kept;
what is in a row is never kept.

This module imports pandas: import it inside functions only.
"""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.core.errors import DataError
from components.core.examples import SPLITS, ExamplesManifest, Shard, iter_shard
from components.validate_examples.duplicates import RepeatCounter, Repeats
from components.validate_examples.findings import RowNumber

SHOWN = 5


@dataclass(frozen=True)
class Question:
    """Which rows of a split break a rule: `broken` is a mask over a column, null is no."""

    split: str
    column: str
    broken: Callable[[pa.ChunkedArray], pa.ChunkedArray]


@dataclass
class Answer:
    """How many rows broke the rule, of how many that have a value, and the first of them."""

    count: int = 0
    present: int = 0
    first: list[RowNumber] = field(default_factory=list)


@dataclass
class Labels:
    """Rows, and those of each class among them; no classes where the label is a number."""

    by_class: list[int]
    rows: int = 0

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of each class; 0 of no rows."""
        return tuple(count / self.rows if self.rows else 0.0 for count in self.by_class)


@dataclass(frozen=True)
class Scanned:
    """What one pass over the rows found; `answers` are in the order of the questions."""

    splits: dict[str, Labels]
    spans: dict[str, Labels]
    answers: list[Answer]
    repeats: Repeats
    repeated: tuple[RowNumber, ...]


def scan(examples: Path, manifest: ExamplesManifest, questions: Sequence[Question] = ()) -> Scanned:
    """Read every row once; raise DataError where a shard's rows are not what the manifest says."""
    none = [0] * manifest.class_count
    splits: dict[str, Labels] = {split: Labels([*none]) for split in SPLITS}
    ordered = sorted(manifest.shards, key=lambda shard: shard.span)
    spans = {shard.span: Labels([*none]) for shard in ordered}
    answers = [Answer() for _ in questions]
    shards = [shard for split in SPLITS for shard in manifest.shards_of(split)]
    with tempfile.TemporaryDirectory(prefix="tandem-rows-") as folder:
        counter = RepeatCounter(Path(folder))
        for shard in shards:
            for start, table in _numbered(examples, manifest, shard):
                counter.add(table)
                _count_labels(table[manifest.label], splits[shard.split], spans[shard.span])
                _ask(questions, answers, table, shard, start)
        repeats = counter.result(SHOWN)
    return Scanned(splits, spans, answers, repeats, _row_numbers(repeats.first, shards))


def answer(
    examples: Path, manifest: ExamplesManifest, questions: Sequence[Question]
) -> list[Answer]:
    """Return the answers that `scan` gives, from the columns that are asked about alone."""
    answers = [Answer() for _ in questions]
    columns = sorted({question.column for question in questions})
    for split in SPLITS if questions else ():
        for shard in manifest.shards_of(split):
            for start, table in _numbered(examples, manifest, shard, columns):
                _ask(questions, answers, table, shard, start)
    return answers


def _numbered(
    examples: Path,
    manifest: ExamplesManifest,
    shard: Shard,
    columns: Sequence[str] | None = None,
) -> Iterator[tuple[int, pa.Table]]:
    """Yield a shard's tables with the number of their first row."""
    start = 0
    for table in iter_shard(examples, manifest, shard, columns):
        yield start, table
        start += table.num_rows
    if start != shard.rows:
        raise DataError(
            f"shard {shard.path} does not have the rows that its manifest says",
            remedy="run ingest_examples again",
            expected=shard.rows,
            actual=start,
        )


def _count_labels(column: pa.ChunkedArray, *groups: Labels) -> None:
    classes = len(groups[0].by_class)
    counts = [pc.sum(pc.equal(column, number)).as_py() or 0 for number in range(classes)]
    for labels in groups:
        labels.rows += len(column)
        labels.by_class = [sum(pair) for pair in zip(labels.by_class, counts, strict=True)]


def _ask(
    questions: Sequence[Question],
    answers: Sequence[Answer],
    table: pa.Table,
    shard: Shard,
    start: int,
) -> None:
    for question, answer in zip(questions, answers, strict=True):
        if question.split == shard.split:
            _answer(question, answer, table, shard, start)


def _answer(question: Question, answer: Answer, table: pa.Table, shard: Shard, start: int) -> None:
    column = table[question.column]
    broken = question.broken(column)
    found = np.flatnonzero(pc.fill_null(broken, False).to_numpy())
    answer.count += len(found)
    answer.present += len(column) - column.null_count
    for number in found[: SHOWN - len(answer.first)]:
        answer.first.append(RowNumber(shard.split, shard.span, start + int(number)))


def _row_numbers(numbers: Sequence[int], shards: Sequence[Shard]) -> tuple[RowNumber, ...]:
    """Return which rows of which shards lie at these places in the order of the pass."""
    starts = [0, *accumulate(shard.rows for shard in shards)]
    places = [(number, bisect_right(starts, number) - 1) for number in numbers]
    return tuple(
        RowNumber(shards[place].split, shards[place].span, number - starts[place])
        for number, place in places
    )
