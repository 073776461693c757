"""The real flights' settings, and a way to build small sources of every broken kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.ingest_examples.step import IngestSettings

FLIGHTS = Path(__file__).parents[2] / "pipelines" / "examples" / "flights"
CARD = {
    "origin": "made by a test",
    "collection": "none",
    "licence": "CC0-1.0",
    "purpose": "test",
    "personal_data": {"present": False},
}
HEADER = "year,month,day,plane,delay,gone,when"
ROWS = """\
2020,1,6,P1,20,1,2020-01-06T10:00:00Z
2020,1,7,P2,0,1,2020-01-07T10:00:00Z
2020,2,3,P1,NA,1,2020-02-03T10:00:00Z
2020,2,4,P3,99,1,2020-02-04T10:00:00Z
2020,2,5,NA,1,NA,2020-02-05T10:00:00Z
2020,2,6,P2,2,1,2020-02-06T10:00:00Z
2021,3,1,P2,3,1,2021-03-01T10:00:00Z
"""
Make = Callable[..., IngestSettings]


@pytest.fixture(scope="session")
def flights_settings() -> Callable[[str, str], IngestSettings]:
    values = yaml.safe_load((FLIGHTS / "settings.yaml").read_text())
    card = yaml.safe_load((FLIGHTS / "data_card.yaml").read_text())

    def make(first: str, last: str) -> IngestSettings:
        window = {"first": first, "last": last}
        return IngestSettings.model_validate(
            {"source": values["source"], "card": card, "window": window}
        )

    return make


@pytest.fixture
def make_settings(tmp_path: Path) -> Make:
    """Settings of the small table above, with parts of the source changed."""

    def make(
        text: str | bytes = f"{HEADER}\n{ROWS}",
        *,
        name: str = "rows.csv",
        window: tuple[str, str] = ("2020-01", "2020-02"),
        **source: Any,
    ) -> IngestSettings:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        values = {
            "table": {"location": str(path)},
            "target": {"name": "late", "column": "delay", "above": 15},
            "drop_where_null": [{"column": "gone", "reason": "cancelled"}],
            "leakage": ["gone"],
        }
        return IngestSettings.model_validate(
            {
                "source": values | source,
                "card": CARD,
                "window": {"first": window[0], "last": window[1]},
            }
        )

    return make
