"""The real flights' settings, and a way to build small sources of every broken kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_source import CARD, HEADER, ROWS, Make

from components.ingest_examples.step import IngestSettings

FLIGHTS = Path(__file__).parents[2] / "pipelines" / "examples" / "flights"


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
