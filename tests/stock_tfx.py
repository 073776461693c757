"""A pipeline of stock TFX components, run by TFX's own LocalDagRunner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def of_training(
    rows: Mapping[str, Any],
    schema: Mapping[str, Any],
    module: str,
    steps: int,
    run_fn: str = "run_fn",
) -> tuple[Any, Any]:
    """Return Transform and Trainer, by a module's `preprocessing_fn` and its `run_fn`.

    `rows` and `schema` are those components' arguments of these names, each by its own.
    """
    from tfx.v1 import components, proto

    transform = components.Transform(
        **rows, **schema, preprocessing_fn=f"{module}.preprocessing_fn"
    )
    trainer = components.Trainer(
        run_fn=f"{module}.{run_fn}",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        **schema,
        train_args=proto.TrainArgs(num_steps=steps),
        eval_args=proto.EvalArgs(num_steps=1),
    )
    return transform, trainer
