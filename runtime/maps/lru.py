"""Which entries an LRU hash forgets when it needs room (kernel/bpf/bpf_lru_list.c, Linux 6.1 to 7.2).

A map has as many nodes as entries, and one is taken for each update, also of a key that is there. Entries that were
used lately are in an active list, and those that may go in an inactive one. All CPUs share these lists, beside a stock
of free nodes and a list of new entries that each CPU has for itself, or each CPU has its own (`BPF_F_NO_COMMON_LRU`). A
CPU that has no free node left makes many at once, so a small map can forget all that was not used since.

Free nodes are counted only, since nothing tells them apart.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

#: Free nodes that a CPU takes or makes at once, and nodes that it looks at for that (LOCAL_FREE_TARGET,
#: PERCPU_FREE_TARGET).
_LOCAL = 128
_PER_CPU = 4


class Node:
    """A node in use, of the entry at `key`; `ref`: the entry was used since somebody looked. `cpu` took the node."""

    __slots__ = ("chain", "cpu", "following", "key", "previous", "ref")

    def __init__(self, cpu: int) -> None:
        self.key = b""
        self.cpu = cpu
        self.ref = False
        self.chain: _Chain | None = None
        self.previous = self
        self.following = self

    def unlink(self) -> None:
        """Take it out of its chain."""
        if self.chain is not None:
            self.chain.length -= 1
            self.chain = None
        self.previous.following = self.following
        self.following.previous = self.previous


class _Chain:
    """Nodes in a circle that begins and ends with `end`."""

    def __init__(self) -> None:
        self.end = Node(0)
        self.length = 0

    def put(self, node: Node) -> None:
        """Put a node that is in no chain before all others."""
        end, first = self.end, self.end.following
        node.previous, node.following = end, first
        end.following = first.previous = node
        node.chain = self
        self.length += 1

    def backwards(self) -> Iterator[Node]:
        """The nodes from the last to the first; the one that was given last may be moved meanwhile."""
        node = self.end.previous
        while node is not self.end:
            following = node.previous
            yield node
            node = following


class _Lists:
    """The active and the inactive list. `scans` is how many nodes are looked at for one purpose; `evict` takes a node's
    entry out of the map."""

    def __init__(self, scans: int, evict: Callable[[Node], None]) -> None:
        self._scans = scans
        self._evict = evict
        self.active = _Chain()
        self.inactive = _Chain()
        self._rotation = self.inactive.end  # where the rotation of inactive nodes goes on

    def move(self, node: Node, chain: _Chain) -> None:
        """Put a node at the beginning of a list, as not used since."""
        self.take(node)
        chain.put(node)
        node.ref = False

    def take(self, node: Node) -> None:
        """Take a node out of its list."""
        if node is self._rotation:
            self._rotation = node.previous
        node.unlink()

    def rotate(self) -> None:
        """Move inactive nodes that were used to the active ones, and if those are many, some of them back."""
        if self.inactive.length < self.active.length:
            self._rotate_active()
        if self.inactive.length:
            self._rotate_inactive()

    def _rotate_active(self) -> None:
        first = self.active.end.following
        for count, node in enumerate(self.active.backwards(), 1):
            self.move(node, self.active if node.ref else self.inactive)
            if count == self._scans or node is first:
                return

    def _rotate_inactive(self) -> None:
        end = self.inactive.end
        last = self._rotation.following
        if last is end:
            last = last.following
        node = following = self._rotation
        count = 0
        while count < self._scans:
            if node is end:
                node = node.previous
                continue
            following = node.previous
            if node.ref:
                self.move(node, self.active)
            if node is last:
                break
            node = following
            count += 1
        self._rotation = following

    def shrink(self, target: int) -> int:
        """Evict up to `target` nodes that were not used, or the oldest one if all were; how many."""
        evicted = self._shrink_inactive(target)
        if evicted:
            return evicted
        chain = self.inactive if self.inactive.length else self.active
        for node in chain.backwards():
            self._drop(node)
            return 1
        return 0

    def _shrink_inactive(self, target: int) -> int:
        evicted = 0
        for count, node in enumerate(self.inactive.backwards(), 1):
            if node.ref:
                self.move(node, self.active)
            else:
                self._drop(node)
                evicted += 1
            if evicted == target or count == self._scans:
                break
        return evicted

    def _drop(self, node: Node) -> None:
        self._evict(node)
        self.take(node)


class Lru(ABC):
    """The nodes of a map. `evict` is told of each node whose entry the map is to forget."""

    @abstractmethod
    def pop(self, cpu: int) -> Node:
        """A node for an entry that is updated on `cpu`."""

    @abstractmethod
    def push(self, node: Node) -> None:
        """Give a node back whose entry is gone."""


class CommonLru(Lru):
    """Lists that all CPUs share. `target` is how many free nodes a CPU takes or makes at once."""

    def __init__(self, entries: int, cpus: int, target: int, evict: Callable[[Node], None]) -> None:
        self._target = target
        self._evict = evict
        self._lists = _Lists(_LOCAL, evict)
        self._free = entries
        self._local_free = [0] * cpus
        self._pending = [_Chain() for _ in range(cpus)]
        self._next_steal = list(range(cpus))

    def pop(self, cpu: int) -> Node:
        if not self._local_free[cpu]:
            self._refill(cpu)
        if self._local_free[cpu]:
            self._local_free[cpu] -= 1
        else:
            self._steal(cpu)
        node = Node(cpu)
        self._pending[cpu].put(node)
        return node

    def _refill(self, cpu: int) -> None:
        pending, lists = self._pending[cpu], self._lists
        for node in pending.backwards():
            chain = lists.active if node.ref else lists.inactive
            lists.move(node, chain)
        lists.rotate()
        taken = min(self._free, self._target)
        self._free -= taken
        if taken < self._target:
            taken += lists.shrink(self._target - taken)
        self._local_free[cpu] += taken

    def _steal(self, cpu: int) -> None:
        """Take the free node of some CPU, or that of its oldest new entry."""
        cpus = len(self._pending)
        for each in range(self._next_steal[cpu], self._next_steal[cpu] + cpus):
            victim = each % cpus
            self._next_steal[cpu] = (victim + 1) % cpus
            if self._local_free[victim]:
                self._local_free[victim] -= 1
                return
            nodes = list(self._pending[victim].backwards())
            oldest = next((node for node in nodes if not node.ref), nodes[0] if nodes else None)
            if oldest is not None:
                self._evict(oldest)
                oldest.unlink()
                return
        raise AssertionError("a map has a node for each of its entries")

    def push(self, node: Node) -> None:
        if node.chain is self._pending[node.cpu]:
            node.unlink()
            self._local_free[node.cpu] += 1
        else:
            self._lists.take(node)
            self._free += 1


class PerCpuLru(Lru):
    """Lists of each CPU's own."""

    def __init__(self, entries: int, cpus: int, evict: Callable[[Node], None]) -> None:
        self._lists = [_Lists(_PER_CPU, evict) for _ in range(cpus)]
        self._free = [entries // cpus] * cpus

    def pop(self, cpu: int) -> Node:
        lists = self._lists[cpu]
        lists.rotate()
        if not self._free[cpu]:
            self._free[cpu] = lists.shrink(_PER_CPU)
        self._free[cpu] -= 1
        node = Node(cpu)
        lists.inactive.put(node)
        return node

    def push(self, node: Node) -> None:
        self._lists[node.cpu].take(node)
        self._free[node.cpu] += 1


def common_target(entries: int, cpus: int, kernel: str) -> int:
    """How many free nodes a CPU takes or makes at once where all share the lists: since Linux 6.12 no more than half of
    its share of the map."""
    if kernel == "6.1":
        return _LOCAL
    return max(1, min(entries // cpus // 2, _LOCAL))
