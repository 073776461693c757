"""The face of train_tensorflow: its ports, and one call of the wrapper."""

from kfp import dsl

from components.core.image import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def train_tensorflow(
    run: dict,  # type: ignore[type-arg]
    model: dict,  # type: ignore[type-arg]
    train: dict,  # type: ignore[type-arg]
    features: dsl.Input[dsl.Dataset],
    transform_graph: dsl.Input[dsl.Model],
    tensorflow_model: dsl.Output[dsl.Model],
    tensorflow_training: dsl.Output[dsl.Artifact],
) -> None:
    """Train the Keras model and export its bundle."""
    from components.stage import run_stage
    from components.train_tensorflow.step import train_tensorflow as step

    run_stage(
        step,
        run=run,
        parameters={"model": model, "train": train},
        inputs={"features": features, "transform_graph": transform_graph},
        outputs={"tensorflow_model": tensorflow_model, "tensorflow_training": tensorflow_training},
    )
