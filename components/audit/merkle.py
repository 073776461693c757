"""The Merkle tree of RFC 6962 (section 2.1): hashes, proofs, and their verification.

Rules: leaves and nodes are hashed under different prefixes, so neither passes for the other;
verification follows RFC 9162 (2.1.3.2 and 2.1.4.2) and raises IntegrityError unless every given
value takes part in the result. An empty tree proves nothing and is refused by both verifiers.
This module knows nothing of records, files or signatures.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence

from components.core.errors import IntegrityError

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """A growing tree; keeps the hash of every complete subtree, so proofs cost O(log n)."""

    def __init__(self) -> None:
        self._levels: list[list[bytes]] = [[]]

    @property
    def size(self) -> int:
        """The number of leaves."""
        return len(self._levels[0])

    def append(self, leaf: bytes) -> None:
        """Add a leaf by its hash."""
        self._levels[0].append(leaf)
        level = 0
        while len(self._levels[level]) % 2 == 0:
            pair = self._levels[level][-2:]
            level += 1
            if level == len(self._levels):
                self._levels.append([])
            self._levels[level].append(node_hash(*pair))

    def root(self, size: int | None = None) -> bytes:
        """Return the root over the first `size` leaves, all by default."""
        size = self.size if size is None else size
        self._check_size(size)
        return self._hash(0, size) if size else EMPTY_ROOT

    def inclusion_proof(self, index: int, size: int | None = None) -> list[bytes]:
        """Return PATH(index, D[size]) of RFC 6962, section 2.1.1."""
        size = self.size if size is None else size
        self._check_size(size)
        if not 0 <= index < size:
            raise IndexError(f"leaf {index} is not in a tree of {size}")
        return self._path(index, 0, size)

    def consistency_proof(self, first: int, second: int | None = None) -> list[bytes]:
        """Return PROOF(first, D[second]) of RFC 6962, section 2.1.2; 0 < first <= second."""
        second = self.size if second is None else second
        self._check_size(second)
        if not 0 < first <= second:
            raise IndexError(f"no proof from size {first} to size {second}")
        return self._subproof(first, 0, second, complete=True)

    def _node(self, level: int, number: int) -> bytes:
        """Return the hash of a complete subtree of 2**level leaves."""
        return self._levels[level][number]

    def _check_size(self, size: int) -> None:
        if not 0 <= size <= self.size:
            raise IndexError(f"the tree has {self.size} leaves, not {size}")

    def _hash(self, start: int, end: int) -> bytes:
        width = end - start
        if width & (width - 1) == 0 and start % width == 0:
            return self._node(width.bit_length() - 1, start // width)
        middle = start + _split(width)
        return node_hash(self._hash(start, middle), self._hash(middle, end))

    def _path(self, index: int, start: int, end: int) -> list[bytes]:
        if end - start == 1:
            return []
        middle = start + _split(end - start)
        if index < middle:
            return [*self._path(index, start, middle), self._hash(middle, end)]
        return [*self._path(index, middle, end), self._hash(start, middle)]

    def _subproof(self, first: int, start: int, end: int, *, complete: bool) -> list[bytes]:
        if first == end:
            return [] if complete else [self._hash(start, end)]
        middle = start + _split(end - start)
        if first <= middle:
            left = self._subproof(first, start, middle, complete=complete)
            return [*left, self._hash(middle, end)]
        return [*self._subproof(first, middle, end, complete=False), self._hash(start, middle)]


class Frontier:
    """A growing tree of which only what its root needs is kept: O(log n) hashes."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Add a leaf by its hash."""
        node, complete = leaf, self.size
        while complete & 1:
            node, complete = node_hash(self._peaks.pop(), node), complete >> 1
        self._peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        """Return the root over all leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        return functools.reduce(lambda right, left: node_hash(left, right), reversed(self._peaks))


def _split(width: int) -> int:
    """Return the largest power of two smaller than the width."""
    return 1 << ((width - 1).bit_length() - 1)


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Raise IntegrityError unless the proof shows the leaf hash at that index of that tree."""
    _check_hashes([leaf, root, *proof])
    if not 0 <= index < size:
        raise _refused(f"index {index} is not in a tree of {size}")
    position, last, result = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise _refused("the inclusion proof is too long")
        if position & 1 or position == last:
            result = node_hash(sibling, result)
            position, last = _skip_right_edge(position, last)
        else:
            result = node_hash(result, sibling)
        position, last = position >> 1, last >> 1
    if last != 0:
        raise _refused("the inclusion proof is too short")
    if result != root:
        raise _refused("the inclusion proof leads to another root", root, result)


def verify_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> None:
    """Raise IntegrityError unless the proof shows that the second tree extends the first."""
    _check_hashes([first_root, second_root, *proof])
    if not 0 < first <= second:
        raise _refused(f"sizes {first} and {second} cannot be consistent")
    if first == second:
        if proof or first_root != second_root:
            raise _refused("trees of one size differ", first_root, second_root)
        return
    path = list(proof) if first & (first - 1) else [first_root, *proof]
    if not path:
        raise _refused("the consistency proof is empty")
    old, new, last = _replay_consistency(first - 1, second - 1, path)
    if last != 0:
        raise _refused("the consistency proof is too short")
    if old != first_root:
        raise _refused("the consistency proof leads to another old root", first_root, old)
    if new != second_root:
        raise _refused("the consistency proof leads to another new root", second_root, new)


def _replay_consistency(
    position: int, last: int, path: Sequence[bytes]
) -> tuple[bytes, bytes, int]:
    """Return the old root, the new root and what is left of the second tree (RFC 9162)."""
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise _refused("the consistency proof is too long")
        if position & 1 or position == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            position, last = _skip_right_edge(position, last)
        else:
            new = node_hash(new, sibling)
        position, last = position >> 1, last >> 1
    return old, new, last


def _skip_right_edge(position: int, last: int) -> tuple[int, int]:
    """Pass the levels where the node has no right sibling and is carried up as it is."""
    while not position & 1 and position != 0:
        position, last = position >> 1, last >> 1
    return position, last


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if any(len(item) != HASH_BYTES for item in hashes):
        raise _refused(f"a hash is not {HASH_BYTES} bytes long")


def _refused(
    why: str, expected: bytes | None = None, actual: bytes | None = None
) -> IntegrityError:
    return IntegrityError(
        why,
        remedy="compare with another copy of the log; one of the two was changed",
        expected=expected.hex() if expected else None,
        actual=actual.hex() if actual else None,
    )
