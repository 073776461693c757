"""The face of transform_features: its ports, and one call of the wrapper."""

from kfp import dsl

from components.core.image import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def transform_features(
    run: dict,  # type: ignore[type-arg]
    transform: dict,  # type: ignore[type-arg]
    source: dict,  # type: ignore[type-arg]
    schema: str,
    beam: dict,  # type: ignore[type-arg]
    train: dict,  # type: ignore[type-arg]
    examples: dsl.Input[dsl.Dataset],
    validation: dsl.Input[dsl.Artifact],
    transform_graph: dsl.Output[dsl.Model],
    features: dsl.Output[dsl.Dataset],
) -> None:
    """Fit one transform on the training split and apply it to every row."""
    from components.stage import run_stage
    from components.transform_features.step import transform_features as step

    run_stage(
        step,
        run=run,
        parameters={
            "transform": transform,
            "source": source,
            "schema": schema,
            "beam": beam,
            "train": train,
        },
        inputs={"examples": examples, "validation": validation},
        outputs={"transform_graph": transform_graph, "features": features},
    )
