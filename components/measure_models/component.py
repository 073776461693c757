"""The face of measure_models: its ports, and one call of the wrapper."""

from kfp import dsl

from components.core.image import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def measure_models(
    run: dict,  # type: ignore[type-arg]
    evaluate: dict,  # type: ignore[type-arg]
    examples: dsl.Input[dsl.Dataset],
    measurements: dsl.Output[dsl.Artifact],
    pytorch_model: dsl.Input[dsl.Model] = None,
    tensorflow_model: dsl.Input[dsl.Model] = None,
    imported_model: dsl.Input[dsl.Model] = None,
) -> None:
    """Time and weigh every form of each bundle that is given, on the first evaluation rows."""
    from components.measure_models.step import measure_models as step
    from components.stage import run_stage

    run_stage(
        step,
        run=run,
        parameters={"evaluate": evaluate},
        inputs={
            "examples": examples,
            "pytorch_model": pytorch_model,
            "tensorflow_model": tensorflow_model,
            "imported_model": imported_model,
        },
        outputs={"measurements": measurements},
    )
