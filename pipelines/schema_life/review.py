"""A review as people read it: a table on a terminal, plain lines elsewhere.

Rules: one line for each difference; the texts that a domain lacks are shown on a terminal alone;
nothing that comes from data is read as markup, and control characters are shown as escapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from components.core.words import counted

if TYPE_CHECKING:
    from pipelines.schema_life.difference import Difference

STOPS, LISTED = "stops", "goes on"


def print_differences(found: Sequence[Difference], title: str, stream: TextIO) -> None:
    """Print every difference, and how many of them would stop a run."""
    if stream.isatty():
        _table(found, title, stream)
    else:
        for difference in found:
            print(_line(difference), file=stream)
    stopping = sum(difference.stops for difference in found)
    said = f"{counted(len(found), 'difference')}, {stopping} would stop a run"
    print(f"{title}: {said if found else 'nothing differs'}", file=stream)


def _line(difference: Difference) -> str:
    return (
        f"{_shown(difference.feature)}: {difference.what}: "
        f"schema {difference.schema_says}; data {difference.data_says} "
        f"({', '.join(difference.splits)}): a run {STOPS if difference.stops else LISTED}"
    )


def _table(found: Sequence[Difference], title: str, stream: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not found:
        return
    table = Table()
    for name in ("feature", "what", "- schema says", "+ data says", "splits", "a run"):
        table.add_column(name, no_wrap=name in ("what", "a run"))
    for difference in found:
        data = Text(difference.data_says, style="green")
        if difference.values:
            data.append("\n" + ", ".join(map(_shown, difference.values)), style="dim")
        mark = Text(STOPS, style="bold red") if difference.stops else Text(LISTED, style="yellow")
        table.add_row(
            Text(_shown(difference.feature), style="bold"),
            Text(difference.what),
            Text(difference.schema_says, style="red"),
            data,
            Text(", ".join(difference.splits)),
            mark,
        )
    Console(file=stream, highlight=False).print(table)


def _shown(text: str) -> str:
    """Return a text as one printable line of bounded length."""
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return safe if len(safe) <= 60 else f"{safe[:59]}…"
