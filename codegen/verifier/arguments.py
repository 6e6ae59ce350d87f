"""The memory that a helper is given (`check_func_arg` of kernel/bpf/verifier.c), by the catalogue's arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from skverdict.codegen.verifier.numbers import UNCLEAR
from skverdict.codegen.verifier.values import MAP, Pointer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from skverdict.codegen.object import MapSpec
    from skverdict.codegen.verifier.numbers import Number
    from skverdict.codegen.verifier.values import Value
    from skverdict.dsl.catalogue.helpers import Helper

_WRITTEN = frozenset(("buffer", "value_buffer", "number"))
_READ = frozenset(("memory", "key", "value"))
_SIZED = frozenset(("memory", "buffer"))


class Memory(NamedTuple):
    """An address that a helper takes as its argument of that `place`, with the `length` of what lies there."""

    place: int
    address: Value
    length: Number
    may_be_empty: bool
    may_be_null: bool
    is_written: bool


def given(called: Helper, values: Sequence[Value], maps: Sequence[MapSpec]) -> Iterator[Memory]:
    """The memory that `called` takes; `values` are those of its arguments, and `maps` what MAP pointers tell apart."""
    arguments = called.arguments
    map_ = next(
        (
            maps[value.base]
            for argument, value in zip(arguments, values, strict=False)
            if argument.kind == "map" and isinstance(value, Pointer) and value.kind == MAP
        ),
        None,
    )
    for place, (argument, value) in enumerate(zip(arguments, values, strict=False)):
        if argument.kind not in _WRITTEN and argument.kind not in _READ:
            continue
        length: Number = UNCLEAR
        may_be_empty = False
        if argument.kind in _SIZED:
            if place + 1 < len(arguments) and arguments[place + 1].kind == "size":
                size = values[place + 1]
                length = UNCLEAR if size is None or isinstance(size, Pointer) else size
                may_be_empty = arguments[place + 1].nullable
        elif argument.kind == "number":
            length = argument.bits // 8
        elif map_ is not None:
            length = map_.key_size if argument.kind == "key" else map_.value_size
        yield Memory(place, value, length, may_be_empty, argument.nullable, argument.kind in _WRITTEN)
