"""The features as a torch IterableDataset, for loops of one's own.

The trainer does not go through it: gathering a batch from the mapped file is all there is to do,
and a DataLoader adds its own time to that.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from components.core.features import FeatureSpec, load_split
from components.core.training_settings import Train
from components.training.heads import Head
from components.training.parts import Parts


class FeatureBatches(IterableDataset[dict[str, Tensor]]):  # type: ignore[misc]
    """An epoch's batches as the trainer takes them, by name: dense, ids, label and, maybe, weight.

    `set_epoch` chooses the epoch, from 0. A worker of a DataLoader (`batch_size=None`) yields every
    n-th batch, so the workers together yield each once.
    """

    def __init__(self, features: Path, train: Train) -> None:
        super().__init__()
        self._features, self._train, self._epoch = features, train, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order of rows comes next."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """Yield the batches; the features are mapped anew, in a worker too."""
        worker = torch.utils.data.get_worker_info()
        number, count = (0, 1) if worker is None else (worker.id, worker.num_workers)
        head = Head.of(FeatureSpec.read(self._features))
        parts = Parts.of(load_split(self._features, "train"), self._train, head=head)
        for place, part in enumerate(parts.of_epoch(self._epoch)):
            if place % count == number:
                yield {name: torch.from_numpy(array) for name, array in part.arrays.named().items()}
