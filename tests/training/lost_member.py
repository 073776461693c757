"""Two processes meet, the second is killed: `lost_member.py FRAMEWORK RANK FOLDER PORT PORT`.

The first ends with 0 where its framework knows that as the loss of another process.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any


def joined(name: str, rank: int, folder: Path, ports: list[str]) -> tuple[Any, Any]:
    if name == "pytorch":
        import torch

        from components.train_pytorch.framework import PyTorch
        from components.train_pytorch.parallel import join

        os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2"}
        return PyTorch(), join(folder, torch.device("cpu"))
    hosts = [f"127.0.0.1:{port}" for port in ports]
    config = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": rank}}
    os.environ |= {"TF_CONFIG": json.dumps(config), "KERAS_BACKEND": "tensorflow"}
    from components.train_tensorflow.framework import TensorFlow
    from components.train_tensorflow.parallel import Workers

    return TensorFlow(), Workers()


def main(name: str, rank: int, folder: Path, ports: list[str]) -> int:
    framework, group = joined(name, rank, folder, ports)
    group.total([1.0])
    met = folder / "met"
    if rank == 1:
        while not met.exists():  # or what this one sent may go with it, and the first sum fails
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGKILL)
    met.touch()
    try:
        group.total([1.0])
    except Exception as error:  # noqa: BLE001 - whatever it is, the framework judges it
        return 0 if framework.lost_others(error) else 1
    return 2


if __name__ == "__main__":
    code = main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
    os._exit(code)  # gloo's threads may abort a process that ends in order
