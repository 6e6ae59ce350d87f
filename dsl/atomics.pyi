"""Atomic changes of a number, as editors and type checkers see them."""

from typing import Any

class Atomic:
    name: str
    operation: str
    count: int
    def __call__(self, *arguments: Any) -> Any: ...

def atomic_add(place: int, value: int) -> int:
    """Add to the number at `place`, and give what was there before."""

def atomic_and(place: int, value: int) -> int:
    """Keep the bits that `value` has, and give what was there before."""

def atomic_or(place: int, value: int) -> int:
    """Set the bits of `value`, and give what was there before."""

def atomic_xor(place: int, value: int) -> int:
    """Flip the bits of `value`, and give what was there before."""

def atomic_exchange(place: int, value: int) -> int:
    """Put `value` there, and give what was there before."""

def atomic_compare_exchange(place: int, expected: int, value: int) -> int:
    """Put `value` there if `expected` is there, and give what was there before."""
