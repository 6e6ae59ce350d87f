"""Atomic changes of a number that programs on other CPUs, or user space, may change at the same time.

    atomic_add(stats.value.packets, 1)

The first argument is a place: a member, an element, or the `.value` of a cell or variable. Each gives what
was there before.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Atomic:
    """An operation as a policy names it; `operation` is the IR's, `count` how many numbers it takes."""

    __slots__ = ("count", "name", "operation")

    def __init__(self, name: str, operation: str, count: int = 1) -> None:
        self.name = name
        self.operation = operation
        self.count = count

    def __call__(self, *arguments: Any) -> Any:
        raise TypeError(f"{self.name}() can only be called inside the policy's programs")

    def __repr__(self) -> str:
        return f"<atomic operation {self.name}>"


atomic_add = Atomic("atomic_add", "atomic.add")
atomic_and = Atomic("atomic_and", "atomic.and")
atomic_or = Atomic("atomic_or", "atomic.or")
atomic_xor = Atomic("atomic_xor", "atomic.xor")
atomic_exchange = Atomic("atomic_exchange", "atomic.exchange")
atomic_compare_exchange = Atomic("atomic_compare_exchange", "atomic.compare_exchange", 2)
