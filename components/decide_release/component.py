"""The face of decide_release: its ports, and one call of the wrapper."""

from kfp import dsl

from components.core.image import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def decide_release(
    run: dict,  # type: ignore[type-arg]
    policy: dict,  # type: ignore[type-arg]
    governance: dict,  # type: ignore[type-arg]
    evaluation: dsl.Input[dsl.Artifact],
    measurements: dsl.Input[dsl.Artifact],
    decision: dsl.Output[dsl.Artifact],
    pytorch_training: dsl.Input[dsl.Artifact] = None,
    tensorflow_training: dsl.Input[dsl.Artifact] = None,
) -> None:
    """Apply the policy and explain the decision."""
    from components.decide_release.step import decide_release as step
    from components.stage import run_stage

    run_stage(
        step,
        run=run,
        parameters={"policy": policy, "governance": governance},
        inputs={
            "evaluation": evaluation,
            "measurements": measurements,
            "pytorch_training": pytorch_training,
            "tensorflow_training": tensorflow_training,
        },
        outputs={"decision": decision},
    )
