"""A policy that was built for big-endian machines does there what it does on little-endian ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from skverdict.codegen import read_object
from skverdict.dsl import load_policy
from skverdict.dsl.ir.module import Map, Module
from skverdict.dsl.ir.types import U32, Array, Int, Struct, Type

from tests.interop.conftest import Build
from tests.interop.parity_scripts import script
from tests.interop.scripts import machines
from tests.interop.stage import Outcome, Step, play
from tests.interop.twins import CORPUS, Twin

QUICK = settings(max_examples=8, deadline=None, derandomize=True, database=None)
CPU = "v3"


def turned(content: bytes, type_: Type | None) -> bytes:
    """The bytes of something of that type in the other byte order."""
    if isinstance(type_, Int):
        return content[::-1]
    if isinstance(type_, Array):
        size = len(content) // type_.count
        parts = (content[place : place + size] for place in range(0, len(content), size))
        return b"".join(turned(part, type_.element) for part in parts)
    if isinstance(type_, Struct):
        made = bytearray(content)
        ends = [*(member.offset for member in type_.members[1:]), len(content)]
        for member, end in zip(type_.members, ends, strict=True):
            size = _size(member.type, end - member.offset)
            place = slice(member.offset, member.offset + size)
            made[place] = turned(content[place], member.type)
        return bytes(made)
    return content  # numbers in network order, and single bytes


def _size(type_: Type, most: int) -> int:
    """The bytes of a member without the padding behind it."""
    return type_.bits // 8 if isinstance(type_, Int) else most


def turned_step(step: Step, maps: dict[str, Map]) -> Step:
    """The same step on a machine of the other byte order."""
    map_ = maps.get(str(step.arguments[0])) if step.arguments else None
    if map_ is None or step.verb not in ("store", "put", "push", "fill", "delete"):
        return step
    name, first, *rest = step.arguments
    if step.verb == "push":
        return step._replace(arguments=(name, turned(first, map_.value)))
    key = turned(first, U32 if map_.key is None else map_.key)
    if step.verb == "store":
        (value,) = rest
        if isinstance(value, list):  # of each CPU
            return step._replace(arguments=(name, key, [turned(each, map_.value) for each in value]))
        return step._replace(arguments=(name, key, turned(value, map_.value)))
    if step.verb == "fill":
        assert map_.inner is not None
        inner = [(index, turned(value, map_.inner.value)) for index, value in rest[0]]
        return step._replace(arguments=(name, key, inner))
    return step._replace(arguments=(name, key, *rest))


def seen(outcome: Outcome) -> Any:
    """What sockets got, how the steps ended, and what programs decided."""
    decided = [(run.program, run.result, run.verdict, run.target) for run in outcome.runs]
    return outcome.steps, outcome.left, outcome.errors, decided


@pytest.mark.parametrize("twin", CORPUS, ids=str)
def test_both_byte_orders_do_the_same(twin: Twin, built: Build) -> None:
    module: Module = load_policy(twin.policy).module
    maps = {map_.name: map_ for map_ in module.maps}
    little, big = (read_object(built(twin, CPU, endian).read_bytes()) for endian in ("little", "big"))

    @QUICK
    @given(machines(CPU), script(twin.name, module, "little"))  # type: ignore[arg-type]
    def alike(how: dict[str, Any], steps: list[Step]) -> None:
        others = [turned_step(each, maps) for each in steps]
        assert seen(play(little, how, steps)) == seen(play(big, how, others))

    alike()
