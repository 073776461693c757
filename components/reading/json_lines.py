"""The objects of a file of JSON lines as they are written: with their lines and their digits.

Why: pyarrow numbers objects, not lines, and gives a number no more as it was written.

Rules:
1. lines are numbered from 1, empty ones too; an object is at the line that it begins in;
2. objects are those that pyarrow tells apart; Python's json reads them once more, slowly, where
   there is something to say or to look at closely;
3. a number is a `Digits`, the text of it.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from components.core.data_settings import Table
from components.core.errors import DataError
from components.reading.files import UNREADABLE, File
from components.reading.origins import Origin
from components.reading.text import damaged, open_text

FORM = "write one flat JSON object a line, in UTF-8, a column of one type"
BLOCK_BYTES = 8 * 2**20
_LONGEST_LINE = 64 * 2**20
_BOM = b"\xef\xbb\xbf"
_SPACE = re.compile(r"[ \t\r\n]*")


class Digits(str):
    """A number as it is written."""


_DECODER = json.JSONDecoder(parse_int=Digits, parse_float=Digits, strict=False)


@dataclass(frozen=True)
class JsonObject:
    """An object: its line, its text and what is in it; None for what is no JSON object."""

    line: int
    text: str
    values: Mapping[str, Any] | None


@dataclass(frozen=True)
class Block:
    """A piece of a file in whole lines, with the number of lines before it."""

    data: bytes
    lines_before: int

    def objects(self) -> Iterator[JsonObject]:
        """Yield the objects; what is none is the last one."""
        text = self.data.decode("utf-8", "replace")
        line, seen, start = 1 + self.lines_before, 0, _end_of_space(text, 0)
        while start < len(text):
            line, seen = line + _line_ends(text, seen, start), start
            try:
                values, end = _DECODER.raw_decode(text, start)
            except (ValueError, RecursionError):
                values, end = None, len(text)
            one = values if isinstance(values, dict) else None
            yield JsonObject(line, text[start:end], one)
            start = _end_of_space(text, end)

    def where(self, row: int) -> str:
        """Return what the object of this number is called; the last one where there are fewer."""
        line = 1 + self.lines_before
        for one in itertools.islice(self.objects(), row + 1):
            line = one.line
        return f"line {line}"


def json_origin(file: File, table: Table) -> Origin:
    """Return the origin of a file's rows, which are called by their lines."""
    return Origin(file.name, partial(_line_of, file))


def _line_of(file: File, row: int) -> str:
    objects = itertools.chain.from_iterable(block.objects() for block in blocks(file))
    return f"line {next(itertools.islice(objects, row, None)).line}"


def blocks(file: File) -> Iterator[Block]:
    """Yield the file in pieces of whole lines."""
    rest, before = b"", 0
    for piece in itertools.chain(_pieces(file), (b"\n",)):
        lines, end, rest = (rest + piece).rpartition(b"\n")
        if lines.strip():
            yield Block(lines + end, before)
        before += _line_ends(lines + end)
        if len(rest) > _LONGEST_LINE:
            longest = f"{_LONGEST_LINE // 2**20} MiB"
            raise DataError(
                f"line {before + 1} of {file.name} is longer than {longest}", remedy=FORM
            )


def _pieces(file: File) -> Iterator[bytes]:
    with _whole(file), open_text(file) as stream:
        piece = stream.read(BLOCK_BYTES).removeprefix(_BOM)
        while piece:
            yield piece
            piece = stream.read(BLOCK_BYTES)


@contextmanager
def _whole(file: File) -> Iterator[None]:
    try:
        yield
    except UNREADABLE:
        raise damaged(file) from None


def _end_of_space(text: str, start: int) -> int:
    space = _SPACE.match(text, start)
    return space.end() if space else start


def _line_ends(text: Any, start: int = 0, end: int | None = None) -> int:
    """Return how many lines end in a text or in bytes: by one character, or by both together."""
    ends = ("\n", "\r", "\r\n") if isinstance(text, str) else (b"\n", b"\r", b"\r\n")
    feeds, returns, both = (text.count(one, start, end) for one in ends)
    return int(feeds + returns - both)
