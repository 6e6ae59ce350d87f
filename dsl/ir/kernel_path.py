"""Paths to what lies in a structure of the kernel: names and indices behind one another, as in `comm.3`.

A path says where the policy declares something to lie; where a kernel has it, the loader finds by the names.
"""

from __future__ import annotations

from typing import NamedTuple

from skverdict.dsl.ir.types import Array, Struct, Type, size_of


class KernelPlace(NamedTuple):
    """What a path leads to: `offset` bytes from the start as declared, and the number of each step."""

    type: Type
    offset: int
    steps: tuple[int, ...]


class PathError(ValueError):
    """A path that leads nowhere; says at which step."""


def follow(struct: Struct, path: str) -> KernelPlace:
    """What `path` leads to in `struct`. Raises PathError."""
    type_: Type = struct
    offset = 0
    steps = []
    for step in path.split("."):
        if isinstance(type_, Array):
            if not (step.isdecimal() and step.isascii() and int(step) < type_.count):
                raise PathError(f"{type_} has elements 0 to {type_.count - 1}, not {step}")
            steps.append(int(step))
            type_ = type_.element
            offset += int(step) * size_of(type_)
            continue
        members = type_.members if isinstance(type_, Struct) else ()
        number = next((number for number, member in enumerate(members) if member.name == step), None)
        if number is None:
            raise PathError(f"{type_} has no member {step}")
        steps.append(number)
        type_ = members[number].type
        offset += members[number].offset
    return KernelPlace(type_, offset, tuple(steps))
