"""The face of seal_run: its ports, and one call of the wrapper."""

from kfp import dsl

from components.core.image import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def seal_run(
    run: dict,  # type: ignore[type-arg]
    status: dsl.PipelineTaskFinalStatus,
    closing: dsl.Output[dsl.Artifact],
) -> None:
    """Close the run, whatever happened."""
    from components.seal_run.step import seal_run as step
    from components.stage import run_stage

    run_stage(
        step,
        run=run,
        parameters={"run": run, "state": status.state},
        inputs={},
        outputs={"closing": closing},
    )
