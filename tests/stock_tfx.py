"""A pipeline of stock TFX components, run by TFX's own LocalDagRunner."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def run_stock(folder: Path, components: Sequence[Any], name: str = "flights") -> Path:
    """Run components; return the pipeline's root, which lies in the folder beside metadata.db."""
    from tfx.v1 import dsl, orchestration

    orchestration.LocalDagRunner().run(
        dsl.Pipeline(
            pipeline_name=name,
            pipeline_root=str(folder / "root"),
            components=list(components),
            enable_cache=True,
            metadata_connection_config=orchestration.metadata.sqlite_metadata_connection_config(
                str(folder / "metadata.db")
            ),
            beam_pipeline_args=["--runner=FnApiRunner"],
        )
    )
    return folder / "root"
