"""The device that TensorFlow trains on; components.training.devices says what the names mean."""

from __future__ import annotations

import logging
from typing import Any

import tensorflow as tf

from components.core.kubernetes_names import GPU, TPU
from components.training.devices import absent, require_given

log = logging.getLogger(__name__)


def use_device(asked: str) -> None:
    """Make TensorFlow use the device that the settings ask for.

    Raises SettingsError where it is absent. GPUs are hidden from a training on the CPU, unless this
    process has used TensorFlow before: then its devices stay as they are.
    """
    tpus = tf.config.list_physical_devices("TPU")
    if asked == "tpu" and not tpus:
        raise absent(
            asked, "TensorFlow", "TPUs need one, and tensorflow-tpu (infra/images/tensorflow)"
        )
    gpus = tf.config.list_physical_devices("GPU")
    require_given(asked, "TensorFlow", TPU if tpus else GPU if gpus else None)
    if asked == "cuda" and not gpus:
        built = tf.test.is_built_with_cuda()
        raise absent(
            asked,
            "TensorFlow",
            "built for CUDA, it finds no GPU" if built else "it is built for CPUs only",
        )
    if asked == "cpu" and gpus:
        try:
            tf.config.set_visible_devices([], "GPU")
        except RuntimeError as error:
            log.warning("the devices stay as they are: %s", error)


def device_name(tensor: Any) -> str:
    """Return what a record calls the device that a tensor is on."""
    kind = tf.DeviceSpec.from_string(tensor.device).device_type
    if kind != "GPU":
        return str(kind).lower()
    [gpu, *_] = tf.config.list_physical_devices("GPU")
    details = tf.config.experimental.get_device_details(gpu)
    return f"cuda: {details.get('device_name', 'GPU')}"
