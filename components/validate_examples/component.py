"""The face of validate_examples: its ports, and one call of the wrapper."""

from kfp import dsl

from components.core.image import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def validate_examples(
    run: dict,  # type: ignore[type-arg]
    schema: str,
    checks: dict,  # type: ignore[type-arg]
    transform: dict,  # type: ignore[type-arg]
    source: dict,  # type: ignore[type-arg]
    beam: dict,  # type: ignore[type-arg]
    evaluate: dict,  # type: ignore[type-arg]
    waivers: list,  # type: ignore[type-arg]
    examples: dsl.Input[dsl.Dataset],
    statistics: dsl.Output[dsl.Artifact],
    validation: dsl.Output[dsl.Artifact],
) -> None:
    """Compute statistics and refuse examples that break the schema or a gate."""
    from components.stage import run_stage
    from components.validate_examples.step import validate_examples as step

    run_stage(
        step,
        run=run,
        parameters={
            "schema": schema,
            "checks": checks,
            "transform": transform,
            "source": source,
            "beam": beam,
            "evaluate": evaluate,
            "waivers": waivers,
            "run": run,
        },
        inputs={"examples": examples},
        outputs={"statistics": statistics, "validation": validation},
    )
