"""Tensors that may be shards: what a sharded training keeps of each is a part in every process.

Rules: nothing of torch.distributed is loaded for a training in one process (0.6 s): a shard, which
is a DTensor, is known by what it can do.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor


def whole(part: Tensor) -> Tensor:
    """Return a tensor put together from its shards; every process must ask for it."""
    return part.full_tensor() if _is_shard(part) else part


def shared_like(part: Tensor, like: Any) -> Tensor:
    """Return a whole tensor on the device of `like`; where that is a shard, this process's."""
    moved = part.to(like.device)
    if not _is_shard(like):
        return moved
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(moved, like.device_mesh, like.placements)


def _is_shard(part: Tensor) -> bool:
    return hasattr(part, "full_tensor")
