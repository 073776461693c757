"""The face of register_models: its ports, and one call of the wrapper."""

from kfp import dsl

from components.core.image import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def register_models(
    run: dict,  # type: ignore[type-arg]
    registry: dict,  # type: ignore[type-arg]
    evaluation: dsl.Input[dsl.Artifact],
    decision: dsl.Input[dsl.Artifact],
    registration: dsl.Output[dsl.Artifact],
    pytorch_model: dsl.Input[dsl.Model] = None,
    tensorflow_model: dsl.Input[dsl.Model] = None,
    imported_model: dsl.Input[dsl.Model] = None,
) -> None:
    """Register the winner as candidate and the other as challenger."""
    from components.register_models.step import register_models as step
    from components.stage import run_stage

    run_stage(
        step,
        run=run,
        parameters={"run": run, "registry": registry},
        inputs={
            "pytorch_model": pytorch_model,
            "tensorflow_model": tensorflow_model,
            "imported_model": imported_model,
            "evaluation": evaluation,
            "decision": decision,
        },
        outputs={"registration": registration},
    )
