"""The face of ingest_examples: its ports, and one call of the wrapper."""

from kfp import dsl

from components.core.image import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def ingest_examples(
    run: dict,  # type: ignore[type-arg]
    source: dict,  # type: ignore[type-arg]
    card: dict,  # type: ignore[type-arg]
    window: dict,  # type: ignore[type-arg]
    examples: dsl.Output[dsl.Dataset],
) -> None:
    """Read the source and write labelled examples by span and split."""
    from components.ingest_examples.step import ingest_examples as step
    from components.stage import run_stage

    run_stage(
        step,
        run=run,
        parameters={"source": source, "card": card, "window": window},
        inputs={},
        outputs={"examples": examples},
    )
