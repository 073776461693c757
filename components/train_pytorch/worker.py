"""One process of a PyTorch training: `torchrun ... -m components.train_pytorch.worker FOLDER`."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(arguments: list[str]) -> None:
    """Train."""
    import torch.distributed as dist

    from components.train_pytorch.framework import PyTorch
    from components.training.worker import work

    work(Path(arguments[0]), PyTorch(), int(os.environ["RANK"]))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1:])
