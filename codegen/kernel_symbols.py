"""Symbols that stand for what only a loader knows of the running kernel's structures (CO-RE).

LLVM carries each as the address of something outside of the module. Afterwards none is left in the object: the
instruction holds the number as the policy declares it, and a record in `.BTF.ext` says what it depends on. Numbers
of kinds are `enum bpf_core_relo_kind` in include/uapi/linux/bpf.h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from skverdict.dsl.ir.kernel_path import follow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skverdict.dsl.ir.types import Struct

OFFSET, EXISTS = 0, 2
# No name in a policy has a dot in it.
_PREFIX = "core."


class KernelRelocation(NamedTuple):
    """The instruction at byte `offset` of its section depends on member `access`, as `0:1:2`, of `struct`."""

    offset: int
    struct: str
    access: str
    kind: int


def symbol_of(kind: int, struct: str, path: str) -> str:
    """The symbol of the member that `path` leads to: of its place, or of its being there at all."""
    return f"{_PREFIX}{kind}.{struct}.{path}"


def is_kernel_symbol(symbol: str) -> bool:
    return symbol.startswith(_PREFIX)


def resolve(symbol: str, offset: int, structs: Mapping[str, Struct]) -> tuple[int, KernelRelocation]:
    """The number for a symbol as the policy declares it, and the record for the instruction at `offset`."""
    _, kind, name, path = symbol.split(".", 3)
    place = follow(structs[name], path)
    access = ":".join(str(step) for step in (0, *place.steps))
    number = place.offset if int(kind) == OFFSET else 1
    return number, KernelRelocation(offset, name, access, int(kind))
