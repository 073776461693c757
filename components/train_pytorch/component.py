"""The face of train_pytorch: its ports, and one call of the wrapper."""

from kfp import dsl

from components.core.image import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def train_pytorch(
    run: dict,  # type: ignore[type-arg]
    model: dict,  # type: ignore[type-arg]
    train: dict,  # type: ignore[type-arg]
    features: dsl.Input[dsl.Dataset],
    transform_graph: dsl.Input[dsl.Model],
    pytorch_model: dsl.Output[dsl.Model],
    pytorch_training: dsl.Output[dsl.Artifact],
) -> None:
    """Train the PyTorch model and export its bundle."""
    from components.stage import run_stage
    from components.train_pytorch.step import train_pytorch as step

    run_stage(
        step,
        run=run,
        parameters={"model": model, "train": train},
        inputs={"features": features, "transform_graph": transform_graph},
        outputs={"pytorch_model": pytorch_model, "pytorch_training": pytorch_training},
    )
