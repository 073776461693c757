"""The face of evaluate_models: its ports, and one call of the wrapper."""

from kfp import dsl

from components.core.image import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def evaluate_models(
    run: dict,  # type: ignore[type-arg]
    evaluate: dict,  # type: ignore[type-arg]
    beam: dict,  # type: ignore[type-arg]
    champion: dict,  # type: ignore[type-arg]
    examples: dsl.Input[dsl.Dataset],
    evaluation: dsl.Output[dsl.Artifact],
    pytorch_model: dsl.Input[dsl.Model] = None,
    tensorflow_model: dsl.Input[dsl.Model] = None,
    imported_model: dsl.Input[dsl.Model] = None,
) -> None:
    """Measure every bundle that is given on the evaluation rows, as a consumer would."""
    from components.evaluate_models.step import evaluate_models as step
    from components.stage import run_stage

    run_stage(
        step,
        run=run,
        parameters={"evaluate": evaluate, "beam": beam, "champion": champion},
        inputs={
            "examples": examples,
            "pytorch_model": pytorch_model,
            "tensorflow_model": tensorflow_model,
            "imported_model": imported_model,
        },
        outputs={"evaluation": evaluation},
    )
