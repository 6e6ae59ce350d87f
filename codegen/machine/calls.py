"""What calls take, and what they do to the stack."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from skverdict.codegen.machine.graph import ADDRESS, CONST, FRAME
from skverdict.dsl.catalogue.helpers import HELPERS
from skverdict.dsl.ir.types import size_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skverdict.codegen.machine.graph import Node
    from skverdict.dsl.catalogue.helpers import Argument, Helper
    from skverdict.dsl.ir.module import Map

STACK_SIZE = 512
EVERYTHING = (1 << STACK_SIZE) - 1

# Kinds of argument whose memory a helper only reads; it does not keep the pointer.
_READ = frozenset(("key", "value", "memory", "string"))
_WRITTEN = frozenset(("value_buffer", "buffer", "number"))
_SIZED = frozenset(("memory", "buffer"))
# These set all bytes that they are given room for, even if they fail (`MEM_UNINIT` in their prototype).
_FILLING = frozenset(
    (
        "bpf_skb_load_bytes",
        "bpf_get_current_comm",
        "bpf_getsockopt",
        "bpf_get_ns_current_pid_tgid",
        "bpf_probe_read_user",
        "bpf_probe_read_kernel",
        "bpf_perf_event_read_value",
        "bpf_dynptr_read",
    )
)


@cache
def _by_number() -> dict[int, Helper]:
    return {helper.number: helper for helper in HELPERS.values()}


def helper(number: int) -> Helper | None:
    """The helper with that number."""
    return _by_number().get(number)


def bytes_at(offset: int, size: int) -> int:
    """The bit mask of `size` stack bytes from `offset` (negative: below the frame pointer)."""
    return ((1 << size) - 1) << (offset + STACK_SIZE)


def upwards(offset: int) -> int:
    """The bit mask of the stack from `offset` to its end."""
    return EVERYTHING >> (offset + STACK_SIZE) << (offset + STACK_SIZE)


class Access(NamedTuple):
    """What a call does to stack memory: `place` is the argument with the address, `mask` the bytes.

    `size` is their number, if that is known, else None. What a call `fills` is all written and not read.
    """

    place: int
    offset: int
    size: int | None
    mask: int
    reads: bool
    writes: bool

    @property
    def fills(self) -> bool:
        return self.writes and not self.reads


def stack_accesses(node: Node, maps: Mapping[str, Map]) -> list[Access] | None:
    """What a call does to the stack whose addresses it is given; None if it could keep one of them."""
    places = [number for number, arg in enumerate(node.args) if arg.kind == FRAME]
    if not places:
        return []
    called = None if node.symbol else helper(node.imm)
    if called is None:
        return None
    arguments = called.arguments
    accesses = []
    for place in places:
        offset = node.args[place].offset
        if not -STACK_SIZE <= offset < 0:
            return None
        argument = arguments[min(place, len(arguments) - 1)]
        size = _size(node, arguments, argument, place, maps)
        if size is not None and offset + size > 0:
            return None
        mask = upwards(offset) if size is None else bytes_at(offset, size)
        if argument.kind in _READ:
            accesses.append(Access(place, offset, size, mask, reads=True, writes=False))
        elif argument.kind in _WRITTEN:
            fills = size is not None and called.name in _FILLING
            accesses.append(Access(place, offset, size, mask, reads=not fills, writes=True))
        else:
            return None
    return accesses


def _size(
    node: Node, arguments: tuple[Argument, ...], argument: Argument, place: int, maps: Mapping[str, Map]
) -> int | None:
    """How many bytes the helper takes at an address, if that is known."""
    if argument.kind in _SIZED and place + 1 < len(node.args):
        length = node.args[place + 1]
        return length.imm if length.kind == CONST and length.imm > 0 else None
    if argument.kind == "number":
        return argument.bits // 8
    if argument.kind not in ("key", "value", "value_buffer"):
        return None
    index = next((number for number, each in enumerate(arguments) if each.kind == "map"), None)
    symbol = node.args[index].symbol if index is not None and node.args[index].kind == ADDRESS else None
    map_ = maps.get(symbol[1]) if symbol else None
    type_ = None if map_ is None else map_.key if argument.kind == "key" else map_.value
    return None if type_ is None else size_of(type_)
