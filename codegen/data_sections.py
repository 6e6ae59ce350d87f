"""Global variables and strings: which section each lies in, where, and the bytes it begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from skverdict.dsl.ir.types import BigEndian, align_of, scalars_in, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skverdict.dsl.ir.module import Global, Module

CONSTANTS, VARIABLES, ZEROS = ".rodata", ".data", ".bss"


class Placed(NamedTuple):
    """A variable, or a string (`variable` is None), at `offset` bytes of its section."""

    symbol: str
    offset: int
    size: int
    variable: Global | None = None


class DataSection(NamedTuple):
    """What a section holds. Nothing of `ZEROS` is in the file, but its size."""

    name: str
    content: bytes
    placed: tuple[Placed, ...]


def strings_of(module: Module) -> dict[str, str]:
    """The symbol of each string of the module's functions, in the order of first use."""
    texts = dict.fromkeys(
        str(operation.attributes["text"])
        for function in module.functions
        for block in function.blocks
        for operation in block.operations
        if operation.name == "string"
    )
    return {text: f".str.{number}" for number, text in enumerate(texts)}


def section_of(variable: Global) -> str:
    """The section a variable goes into, as clang has it."""
    if variable.constant:
        return CONSTANTS
    return VARIABLES if any(variable.initial) else ZEROS


def data_sections(module: Module, endian: str) -> list[DataSection]:
    """The sections that are not empty."""
    sections = []
    for name in (CONSTANTS, VARIABLES, ZEROS):
        content, placed = bytearray(), []
        for symbol, alignment, initial, variable in _contents(module, name, endian):
            content += bytes(-len(content) % alignment)
            placed.append(Placed(symbol, len(content), len(initial), variable))
            content += initial
        if placed:
            sections.append(DataSection(name, bytes(content), tuple(placed)))
    return sections


def _contents(module: Module, section: str, endian: str) -> Iterator[tuple[str, int, bytes, Global | None]]:
    """What goes into a section: symbol, alignment in bytes, first content, and the variable if it is one."""
    for variable in module.globals:
        if section_of(variable) == section:
            yield variable.name, align_of(variable.type), initial_bytes(variable, endian), variable
    if section == CONSTANTS:
        for text, symbol in strings_of(module).items():
            yield symbol, 1, text.encode() + b"\0", None


def initial_bytes(variable: Global, endian: str) -> bytes:
    """What a variable holds at first, on a machine of byte order `endian`."""
    content = bytearray(size_of(variable.type))
    for (offset, scalar), number in zip(scalars_in(variable.type), variable.initial, strict=False):
        size = size_of(scalar)
        order = "big" if isinstance(scalar, BigEndian) else cast(Literal["little", "big"], endian)
        content[offset : offset + size] = number.to_bytes(size, order, signed=number < 0)
    return bytes(content)
