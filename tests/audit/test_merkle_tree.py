"""The tree against a naive reference made here from RFC 6962's definitions, to size 64."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from components.audit.export.verify import Checkpoint, Refused, check_inclusion
from components.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    Tree,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from components.core.errors import IntegrityError

LARGEST = 64
DATA = [f"leaf {i}".encode() for i in range(LARGEST)]
# Certificate Transparency's reference implementations test with these leaves and roots.
CT_LEAVES = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def naive_root(data: list[bytes]) -> bytes:
    if not data:
        return sha256(b"")
    if len(data) == 1:
        return sha256(b"\x00" + data[0])
    k = split(len(data))
    return sha256(b"\x01" + naive_root(data[:k]) + naive_root(data[k:]))


def naive_path(m: int, data: list[bytes]) -> list[bytes]:
    if len(data) == 1:
        return []
    k = split(len(data))
    if m < k:
        return [*naive_path(m, data[:k]), naive_root(data[k:])]
    return [*naive_path(m - k, data[k:]), naive_root(data[:k])]


def naive_proof(m: int, data: list[bytes], whole: bool = True) -> list[bytes]:
    if m == len(data):
        return [] if whole else [naive_root(data)]
    k = split(len(data))
    if m <= k:
        return [*naive_proof(m, data[:k], whole), naive_root(data[k:])]
    return [*naive_proof(m - k, data[k:], False), naive_root(data[:k])]


@pytest.fixture(scope="module")
def tree() -> Tree:
    tree = Tree()
    for data in DATA:
        tree.append(leaf_hash(data))
    return tree


def flipped(item: bytes) -> bytes:
    return bytes([item[0] ^ 1]) + item[1:]


def changed_proofs(proof: list[bytes]) -> Iterator[list[bytes]]:
    """Every proof that differs in one hash, lacks one, or has one too many."""
    for i, item in enumerate(proof):
        yield [*proof[:i], flipped(item), *proof[i + 1 :]]
        yield proof[:i] + proof[i + 1 :]
        yield [*proof[:i], item, *proof[i:]]
        yield [*proof[:i], item[:-1], *proof[i + 1 :]]
        yield [*proof[:i], b"", *proof[i + 1 :]]
    for extra in (bytes(32), sha256(b"extra"), b""):
        yield [*proof, extra]
        yield [extra, *proof]
    if len(proof) > 1:
        yield proof[::-1]


def is_refused(check: object, *arguments: object) -> bool:
    assert callable(check)
    try:
        check(*arguments)
    except IntegrityError:
        return True
    return False


def test_the_roots_of_certificate_transparencys_test_vectors_come_out() -> None:
    tree = Tree()
    for leaf, root in zip(CT_LEAVES, CT_ROOTS, strict=True):
        tree.append(leaf_hash(bytes.fromhex(leaf)))
        assert tree.root().hex() == root


def test_the_empty_tree_has_the_root_of_the_rfc() -> None:
    assert Tree().root() == EMPTY_ROOT == sha256(b"")


def test_the_edge_of_a_tree_has_the_root_of_every_size() -> None:
    frontier = Frontier()
    for size, data in enumerate(DATA):
        assert (frontier.size, frontier.root()) == (size, naive_root(DATA[:size]))
        frontier.append(leaf_hash(data))
    assert (frontier.size, frontier.root()) == (LARGEST, naive_root(DATA))


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_roots_and_inclusion_proofs_are_those_of_the_definition(tree: Tree, size: int) -> None:
    root = tree.root(size)
    assert root == naive_root(DATA[:size])
    for index in range(size):
        proof = tree.inclusion_proof(index, size)
        assert proof == naive_path(index, DATA[:size])
        verify_inclusion(leaf_hash(DATA[index]), index, size, proof, root)


def test_the_proofs_of_the_tree_of_seven_leaves_are_those_of_rfc_6962() -> None:
    """Section 2.1.3: the paths to d0, d3, d4 and d6, the proofs from 3, 4 and 6, by letters."""
    tree = Tree()
    leaves = [leaf_hash(data) for data in DATA[:7]]
    for leaf in leaves:
        tree.append(leaf)
    a, b, c, d, e, f, j = leaves
    g, h, i = node(a, b), node(c, d), node(e, f)
    k, m = node(g, h), node(i, j)
    assert tree.root() == node(k, m)
    assert tree.inclusion_proof(0) == [b, h, m]
    assert tree.inclusion_proof(3) == [c, g, m]
    assert tree.inclusion_proof(4) == [f, j, k]
    assert tree.inclusion_proof(6) == [i, k]
    assert tree.consistency_proof(3) == [c, d, g, m]
    assert tree.consistency_proof(4) == [m]
    assert tree.consistency_proof(6) == [i, j, k]


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right)


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_consistency_proofs_are_those_of_the_definition(tree: Tree, size: int) -> None:
    for first in range(1, size + 1):
        proof = tree.consistency_proof(first, size)
        assert proof == naive_proof(first, DATA[:size])
        verify_consistency(first, size, tree.root(first), tree.root(size), proof)


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_an_inclusion_proof_changed_in_any_field_is_refused(tree: Tree, size: int) -> None:
    root = tree.root(size)
    for index in range(size):
        leaf, proof = leaf_hash(DATA[index]), tree.inclusion_proof(index, size)
        for other in changed_proofs(proof):
            assert is_refused(verify_inclusion, leaf, index, size, other, root)
        for other_index in (index - 1, index + 1, index ^ 2, size, -1):
            assert is_refused(verify_inclusion, leaf, other_index, size, proof, root)
        for other_size in (size * 2, size // 2, 0, -1):
            assert is_refused(verify_inclusion, leaf, index, other_size, proof, root)
        for other in (flipped(leaf), b"", sha256(b"other")):
            assert is_refused(verify_inclusion, other, index, size, proof, root)
        for other in (flipped(root), b"", EMPTY_ROOT):
            assert is_refused(verify_inclusion, leaf, index, size, proof, other)


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_the_verifier_of_exports_takes_the_same_proofs_and_no_changed_one(
    tree: Tree, size: int
) -> None:
    """It is a second one, which shares no code with the first (decision 20)."""
    root = tree.root(size)
    for index in range(size):
        leaf, proof = DATA[index], tree.inclusion_proof(index, size)
        check_inclusion(leaf, index, proof, Checkpoint(size, root))
        changed = [(leaf, index, other, size, root) for other in changed_proofs(proof)]
        others = (index - 1, index + 1, index ^ 2, size, -1)
        changed += [(leaf, other, proof, size, root) for other in others]
        changed += [(leaf, index, proof, other, root) for other in (size * 2, size // 2, 0, -1)]
        changed += [(other, index, proof, size, root) for other in (flipped(leaf), b"", b"other")]
        changed += [(leaf, index, proof, size, other) for other in (flipped(root), EMPTY_ROOT, b"")]
        for data, place, path, count, over in changed:
            with pytest.raises(Refused):
                check_inclusion(data, place, path, Checkpoint(count, over))


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_a_consistency_proof_changed_in_any_field_is_refused(tree: Tree, size: int) -> None:
    root = tree.root(size)
    for first in range(1, size + 1):
        old, proof = tree.root(first), tree.consistency_proof(first, size)
        for other in changed_proofs(proof):
            assert is_refused(verify_consistency, first, size, old, root, other)
        for other_first in {first - 1, first + 1, first ^ 2, 0, -1} - {first}:
            assert is_refused(verify_consistency, other_first, size, old, root, proof)
        for other_size in (size * 2, size // 2, 0, -1):
            assert is_refused(verify_consistency, first, other_size, old, root, proof)
        for other in (flipped(old), EMPTY_ROOT, b""):
            assert is_refused(verify_consistency, first, size, other, root, proof)
        for other in (flipped(root), EMPTY_ROOT, b""):
            assert is_refused(verify_consistency, first, size, old, other, proof)
        if first != size:
            assert is_refused(verify_consistency, first, size, root, old, proof)


@pytest.mark.parametrize("size", range(LARGEST + 1))
def test_no_proof_leads_from_or_to_the_empty_tree(tree: Tree, size: int) -> None:
    root = tree.root(size)
    for proof in ([], [root], [EMPTY_ROOT], [root, EMPTY_ROOT], tree_path(tree, size)):
        assert is_refused(verify_inclusion, leaf_hash(DATA[0]), 0, 0, proof, root)
        assert is_refused(verify_inclusion, EMPTY_ROOT, 0, 0, proof, EMPTY_ROOT)
        for first_root in (EMPTY_ROOT, root, bytes(32)):
            assert is_refused(verify_consistency, 0, size, first_root, root, proof)
            assert is_refused(verify_consistency, size, 0, root, first_root, proof)


def tree_path(tree: Tree, size: int) -> list[bytes]:
    return tree.consistency_proof(1, size) if size else []


def test_the_empty_tree_proves_nothing() -> None:
    assert is_refused(verify_inclusion, leaf_hash(b""), 0, 0, [], EMPTY_ROOT)
    assert is_refused(verify_consistency, 0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    assert is_refused(verify_consistency, 0, 1, EMPTY_ROOT, leaf_hash(b""), [])


def test_proofs_outside_the_tree_cannot_be_asked_for(tree: Tree) -> None:
    for index, size in ((-1, 4), (4, 4), (0, 0), (0, LARGEST + 1)):
        with pytest.raises(IndexError):
            tree.inclusion_proof(index, size)
    for first, second in ((0, 4), (5, 4), (1, LARGEST + 1)):
        with pytest.raises(IndexError):
            tree.consistency_proof(first, second)


def test_a_leaf_does_not_pass_for_the_node_of_the_same_bytes() -> None:
    left, right = leaf_hash(b"left"), leaf_hash(b"right")
    tree = Tree()
    tree.append(left)
    tree.append(right)
    assert leaf_hash(left + right) != tree.root()
