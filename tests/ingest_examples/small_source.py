"""A small table that all tests of ingestion know, its card, and how to ingest one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from components.core.examples import ExamplesManifest
from components.ingest_examples.step import IngestSettings, ingest_examples

CARD = {
    "origin": "made by a test",
    "collection": "none",
    "licence": "CC0-1.0",
    "purpose": "test",
    "personal_data": {"present": False},
}
HEADER = "year,month,day,plane,delay,gone,when"
ROWS = """\
2020,1,6,plane-1,20,1,2020-01-06T10:00:00Z
2020,1,7,plane-2,0,1,2020-01-07T10:00:00Z
2020,2,3,plane-1,NA,1,2020-02-03T10:00:00Z
2020,2,4,plane-3,99,1,2020-02-04T10:00:00Z
2020,2,5,NA,1,NA,2020-02-05T10:00:00Z
2020,2,6,plane-2,2,1,2020-02-06T10:00:00Z
2021,3,1,plane-2,3,1,2021-03-01T10:00:00Z
"""
Make = Callable[..., IngestSettings]


def ingest(settings: IngestSettings, folder: Path) -> ExamplesManifest:
    """Ingest into a new folder and return the manifest."""
    folder.mkdir()
    ingest_examples(settings=settings, examples=folder)
    return ExamplesManifest.read(folder)
