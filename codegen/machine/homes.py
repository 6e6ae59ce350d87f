"""A value that helpers read from the stack is stored there once.

A number that is handed over by address needs a place on the stack. Where the same number is handed over in
several branches, or again after something else was put into its place, LLVM stores it each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.machine.calls import STACK_SIZE, bytes_at
from skverdict.codegen.machine.graph import (
    CALL,
    CONST,
    LOAD,
    PHI,
    SIZES,
    STORE,
    STX,
    Block,
    Graph,
    Node,
    dominators,
)
from skverdict.codegen.machine.stack_use import Contents, Part, Uses, change, forget, meeting, part_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_STORES = {size: STX | 0x60 | bits for bits, size in SIZES.items()}


class _Reading:
    """An argument that hands a value over by address."""

    __slots__ = ("block", "call", "place")

    def __init__(self, block: Block, call: Node, place: int) -> None:
        self.block = block
        self.call = call
        self.place = place


class _Survey:
    """Who reads which value from which part of the stack.

    `stores` and `readings` are those of parts that hold nothing but numbers for helpers to read.
    """

    def __init__(self, graph: Graph, uses: Uses) -> None:
        self.spoilt = 0
        self.lowest = 0
        stores: dict[tuple[Part, Node], list[tuple[Block, Node]]] = {}
        readings: dict[tuple[Part, Node], list[_Reading]] = {}
        leaving: dict[Block, Contents] = {}
        for block in graph.blocks:
            contents = meeting(block, leaving)
            for node in block.nodes:
                if node.kind == CALL:
                    for access in uses.calls[node]:
                        self.lowest = min(self.lowest, access.offset)
                        part = (access.offset, access.size or 0)
                        value = contents.get(part)
                        if access.writes or value is None:
                            self.spoilt |= access.mask
                            forget(contents, access.mask)
                        else:
                            reading = _Reading(block, node, access.place)
                            readings.setdefault((part, value), []).append(reading)
                    continue
                stored, loaded = part_of(node, STORE), part_of(node, LOAD)
                self.lowest = min(self.lowest, (stored or loaded or (0, 0))[0])
                if loaded is not None:
                    self.spoilt |= bytes_at(*loaded)
                elif stored is not None:
                    change(contents, node, uses)
                    stores.setdefault((stored, node.args[1]), []).append((block, node))
            leaving[block] = contents
        parts = {part for part, _ in (*stores, *readings)}
        for part in parts:
            if any(bytes_at(*part) & bytes_at(*other) for other in parts if other != part):
                self.spoilt |= bytes_at(*part)
        self.stores = {key: each for key, each in stores.items() if not bytes_at(*key[0]) & self.spoilt}
        self.readings = {key: each for key, each in readings.items() if not bytes_at(*key[0]) & self.spoilt}


def give_homes(graph: Graph, uses: Uses) -> None:
    """Let each value that is stored repeatedly for helpers to read have a place of its own, stored once."""
    survey = _Survey(graph, uses)
    repeated: dict[tuple[int, Node], list[Part]] = {}
    for (part, value), stores in survey.stores.items():
        repeated.setdefault((part[1], value), []).extend([part] * len(stores))
    if not any(len(parts) > 1 for parts in repeated.values()):
        return
    through = dominators(graph)
    for (size, value), parts in repeated.items():
        if len(parts) < 2:
            continue
        keys = [(part, value) for part in dict.fromkeys(parts)]
        readings = [reading for key in keys for reading in survey.readings.get(key, ())]
        if not readings:
            continue
        others = (part for part, other in survey.stores if other is not value)
        alone = len(keys) == 1 and keys[0][0] not in others
        offset = keys[0][0][0] if alone else (survey.lowest - size) // size * size
        if offset < -STACK_SIZE:
            continue
        survey.lowest = min(survey.lowest, offset)
        stores = [each for key in keys for each in survey.stores[key]]
        _settle(graph, through, (offset, size), value, stores, readings)
        if not alone:
            for reading in readings:
                reading.call.args[reading.place] = graph.frame(offset)
                uses.calls[reading.call] = [
                    access._replace(offset=offset, mask=bytes_at(offset, size))
                    if access.place == reading.place
                    else access
                    for access in uses.calls[reading.call]
                ]


def _settle(
    graph: Graph,
    through: Sequence[int],
    part: Part,
    value: Node,
    stores: list[tuple[Block, Node]],
    readings: list[_Reading],
) -> None:
    """Keep one store of the value, where every reading finds it done."""
    gone = {node for _, node in stores}
    kept = next(
        (
            (block, node)
            for block, node in stores
            if all(_is_before(through, block, node, reading) for reading in readings)
        ),
        None,
    )
    if kept is not None:
        gone.discard(kept[1])
        kept[1].offset = part[0]
    else:
        line = stores[0][1].line
        made = Node(STORE, _STORES[part[1]], [graph.frame(0), value], offset=part[0], line=line)
        block, place = _behind(graph, through, value, readings)
        block.nodes.insert(place, made)
    for block in {block for block, _ in stores}:
        block.nodes = [node for node in block.nodes if node not in gone]


def _is_before(through: Sequence[int], block: Block, node: Node, reading: _Reading) -> bool:
    if block is not reading.block:
        return bool(through[reading.block.index] >> block.index & 1)
    return block.nodes.index(node) < block.nodes.index(reading.call)


def _behind(
    graph: Graph, through: Sequence[int], value: Node, readings: list[_Reading]
) -> tuple[Block, int]:
    """Where a value can be stored so that all readings are behind: where it is made."""
    for block in graph.blocks:
        if value.kind == PHI and value in block.phis:
            return block, 0
        if value in block.nodes:
            return block, block.nodes.index(value) + 1
    if value.kind != CONST:
        return graph.blocks[0], 0
    # A constant is made nowhere: the last block that leads to all readings.
    shared = through[readings[0].block.index]
    for reading in readings:
        shared &= through[reading.block.index]
    leading = [block for block in graph.blocks if shared >> block.index & 1]
    block = max(leading, key=lambda each: bin(through[each.index]).count("1"))
    return block, 0
