"""The tree of RFC 6962 against its published values, and every proof against every tree."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.publish import merkle
from warily.publish.merkle import leaf_hash, nodes_over
from warily.publish.tiled_log import TiledLog, files_after

# The leaves and the roots that Certificate Transparency's own tests use.
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
MANY = [leaf_hash(number.to_bytes(2, "big")) for number in range(300)]


def test_roots_are_the_published_ones() -> None:
    hashes = [leaf_hash(leaf) for leaf in LEAVES]
    for size, root in ROOTS.items():
        assert merkle.root_hash(nodes_over(hashes[:size]), size).hex() == root
    assert merkle.root_hash(nodes_over([]), 0) == hashlib.sha256().digest()


@given(st.data())
def test_every_inclusion_is_proved_and_no_other(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(MANY)))
    index = data.draw(st.integers(0, size - 1))
    nodes = nodes_over(MANY[:size])
    root = merkle.root_hash(nodes, size)
    path = merkle.inclusion_proof(nodes, index, size)
    assert merkle.root_from_inclusion(MANY[index], index, size, path) == root
    other = data.draw(st.integers(0, size))
    if other != index:
        assert merkle.root_from_inclusion(MANY[index], other, size, path) != root
    assert merkle.root_from_inclusion(MANY[index], index, size, (*path, root)) != root
    if path:
        assert merkle.root_from_inclusion(MANY[index], index, size, path[1:]) != root


@given(st.data())
def test_consistency_is_proved_for_prefixes_alone(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(MANY)))
    old = data.draw(st.integers(1, size))
    nodes = nodes_over(MANY[:size])
    root, old_root = merkle.root_hash(nodes, size), merkle.root_hash(nodes_over(MANY[:old]), old)
    path = merkle.consistency_proof(nodes, old, size)
    assert merkle.is_consistent(old, old_root, size, root, path)
    assert not merkle.is_consistent(old, hashlib.sha256(old_root).digest(), size, root, path)
    assert not merkle.is_consistent(old, old_root, size, hashlib.sha256(root).digest(), path)
    assert not merkle.is_consistent(old, old_root, size, root, (*path, root))


@given(st.lists(st.integers(1, 300), min_size=1, max_size=5))
def test_a_log_grown_in_any_steps_is_the_log_grown_at_once(steps: list[int]) -> None:
    files: dict[str, bytes] = {}

    def read(name: str) -> bytes:
        if name not in files:
            raise FormatError(name)
        return files[name]

    entries = [number.to_bytes(3, "big") for number in range(sum(steps))]
    size = 0
    for step in steps:
        files |= files_after(TiledLog(read, size), entries[size : size + step])
        size += step
    log = TiledLog(read, size)
    leaves = [leaf_hash(entry) for entry in entries]
    assert list(log.entries()) == entries
    assert log.root() == merkle.root_hash(nodes_over(leaves), size)
    index = size // 2
    assert merkle.root_from_inclusion(leaves[index], index, size, log.proof(index)) == log.root()
