"""The face of register_models: its ports, and one call of the wrapper."""

from kfp import dsl

from components.core.image import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def register_models(
    run: dict,  # type: ignore[type-arg]
    registry: dict,  # type: ignore[type-arg]
    pytorch_model: dsl.Input[dsl.Model],
    tensorflow_model: dsl.Input[dsl.Model],
    evaluation: dsl.Input[dsl.Artifact],
    decision: dsl.Input[dsl.Artifact],
    registration: dsl.Output[dsl.Artifact],
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
            "evaluation": evaluation,
            "decision": decision,
        },
        outputs={"registration": registration},
    )
