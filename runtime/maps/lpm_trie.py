"""BPF_MAP_TYPE_LPM_TRIE: values by prefix, the longest that fits wins (kernel/bpf/lpm_trie.c).

A key is a u32, the number of leading bits that count, and then the bytes with these bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from skverdict.codegen.object import MapSpec
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.memory import ByteOrder
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.user_side import BPF_ANY, BPF_EXIST, BPF_NOEXIST

_LENGTH = 4


class _Node(NamedTuple):
    """An entry: the key as it was given, bits behind the prefix and all, and the value's memory."""

    key: bytes
    value: bytearray


class LpmTrie(Map):
    """A trie, kept as a table of prefixes: strings of the digits 0 and 1."""

    kind = "lpm_trie"
    batches = frozenset({"lookup", "update", "delete"})

    def __init__(self, spec: MapSpec, order: ByteOrder = "little") -> None:
        super().__init__(spec, order)
        self._nodes: dict[str, _Node] = {}

    def lookup(self, key: bytes) -> bytearray | None:
        prefix = self._prefix(key)
        if prefix is None:
            return None
        fitting = (self._nodes.get(prefix[:length]) for length in range(len(prefix), -1, -1))
        return next((node.value for node in fitting if node is not None), None)

    def write(self, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
        if flags > BPF_EXIST:
            raise KernelError(Errno.EINVAL, f"map {self.name}: unknown update flags {flags:#x}")
        prefix = self._checked_prefix(key)
        if prefix in self._nodes:
            if flags == BPF_NOEXIST:
                raise KernelError(Errno.EEXIST, f"map {self.name} has this prefix")
        elif flags == BPF_EXIST:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no such prefix")
        elif len(self._nodes) >= self.max_entries:
            raise KernelError(Errno.ENOSPC, f"map {self.name} is full: {self.max_entries} prefixes")
        self._nodes[prefix] = _Node(key, bytearray(value))

    def remove(self, key: bytes) -> None:
        if self._nodes.pop(self._checked_prefix(key), None) is None:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no such prefix")

    def walk(self) -> Iterator[bytes]:
        """Prefixes in the order of their bits, each behind the longer ones that begin with it."""
        # A digit above both bits puts a prefix behind its extensions.
        return iter([self._nodes[prefix].key for prefix in sorted(self._nodes, key=lambda bits: bits + "2")])

    def following(self, key: bytes | None) -> bytes:
        prefix = None if key is None else self._prefix(key)
        node = None if prefix is None else self._nodes.get(prefix)
        return super().following(None if node is None else node.key)

    def _prefix(self, key: bytes) -> str | None:
        """The bits that count; None if the key says that there are more than it has."""
        length = int.from_bytes(key[:_LENGTH], self.order)
        data = key[_LENGTH:]
        if length > 8 * len(data):
            return None
        return "".join(f"{byte:08b}" for byte in data)[:length]

    def _checked_prefix(self, key: bytes) -> str:
        prefix = self._prefix(key)
        if prefix is None:
            bits = 8 * (self.key_size - _LENGTH)
            raise KernelError(Errno.EINVAL, f"map {self.name} has prefixes of at most {bits} bits")
        return prefix
