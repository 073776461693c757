"""The face of import_model: its ports, and one call of the wrapper."""

from kfp import dsl

from components.core.image import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def import_model(
    run: dict,  # type: ignore[type-arg]
    imported: dict,  # type: ignore[type-arg]
    schema: str,
    examples: dsl.Input[dsl.Dataset],
    validation: dsl.Input[dsl.Artifact],
    imported_model: dsl.Output[dsl.Model],
) -> None:
    """Prove that a model trained elsewhere runs on real rows, and seal it in a bundle."""
    from components.import_model.step import import_model as step
    from components.stage import run_stage

    run_stage(
        step,
        run=run,
        parameters={"imported": imported, "schema": schema},
        inputs={"examples": examples, "validation": validation},
        outputs={"imported_model": imported_model},
    )
