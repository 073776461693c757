"""Texts that are to be dates and are none: counted, and the first named by its row or line.

Rules: a date is what pyarrow reads as one: 2013-01-31, or with a T or a space 10, 10:30, 10:30:00
or 10:30:00.123456 after it; a zone follows in every text of a column or in none. No value is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from components.core.data_settings import Table
from components.core.errors import DataError
from components.reading.files import File
from components.reading.origins import Origin

_LEAP_YEAR = r"(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_MONTH_DAY = (
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)"
    r"|02-(?:0[1-9]|1\d|2[0-8]))"
)
_DAY = rf"(?:\d{{4}}-{_MONTH_DAY}|{_LEAP_YEAR}-02-29)"
_TIME = r"[ T](?:[01]\d|2[0-3])(?::[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?)?"
_ZONE = r"(?:Z|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)"
LOCAL = rf"^{_DAY}(?:{_TIME})?$"
ZONED = rf"^{_DAY}{_TIME}{_ZONE}$"
_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_REMEDY = (
    "write them like 2013-01-31 or 2013-01-31T05:30:00, all with a zone or none, or name another "
    "column; of CSV, null_values may say what stands for no date"
)


@dataclass
class _Misfits:
    """How many texts a pattern does not fit, and the place of the first."""

    pattern: str
    count: int = 0
    first: int = 0

    def add(self, text: pa.Array, start: int) -> None:
        bad = pc.invert(pc.match_substring_regex(text, self.pattern))
        if not self.count:
            self.first = start + pc.index(bad, True).as_py()
        self.count += pc.sum(bad).as_py() or 0


def are_dates(values: pa.Array) -> bool:
    """Say whether a column is of dates without a zone, or of no text at all."""
    try:
        require_dates([values], "", Origin(""), [LOCAL])
    except DataError:
        return False
    return True


def require_dates(
    columns: Iterable[pa.Array],
    column: str,
    origin: Origin,
    patterns: Sequence[str] = (LOCAL, ZONED),
) -> None:
    """Raise DataError where a column's texts are not all dates, of whichever pattern fits most.

    What is no text is for others to judge.
    """
    rows = 0
    misfits = [_Misfits(pattern) for pattern in patterns]
    for values in columns:
        text = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
        if not any(is_text(text.type) for is_text in _TEXTS):
            return
        for one in misfits:
            one.add(text.cast(pa.string()), rows)
        rows += len(text)
    fewest = min(misfits, key=lambda one: one.count)
    if fewest.count:
        what = "value that is no date" if fewest.count == 1 else "values that are no dates"
        raise DataError(
            f"column {column} of {origin.name} holds {fewest.count} {what}, "
            f"first in {origin.where(fewest.first)}",
            remedy=_REMEDY,
        )


def texts_of(
    read: Callable[[File, Table, pa.Schema, Sequence[str]], Iterable[pa.RecordBatch]],
    file: File,
    table: Table,
    column: str,
) -> Iterator[pa.Array]:
    """Yield a column of a file as the text that it is written as, where it is text."""
    as_text = table.model_copy(update={"types": {**table.types, column: "string"}})
    for batch in read(file, as_text, pa.schema([(column, pa.string())]), [column]):
        yield batch.column(0)
