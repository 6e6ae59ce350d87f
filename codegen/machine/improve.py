"""All functions of an object, each as short as it gets."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from skverdict.codegen import elf
from skverdict.codegen.kernel_symbols import KernelRelocation, is_kernel_symbol, resolve
from skverdict.codegen.limits import STACK_SIZE, frame_size
from skverdict.codegen.llvm_object import Code, CodeRelocation
from skverdict.codegen.machine import calls
from skverdict.codegen.machine.comparisons import Known, add_to_known, put_known_second
from skverdict.codegen.machine.context import load_early, share_loads
from skverdict.codegen.machine.emit import emit
from skverdict.codegen.machine.encode import Encoded, TooFar, encode
from skverdict.codegen.machine.entry import split_context
from skverdict.codegen.machine.frame_sums import add_to_frames
from skverdict.codegen.machine.graph import CLASS, LDX, WIDE
from skverdict.codegen.machine.kernel_fields import KERNEL, place_in_instructions
from skverdict.codegen.machine.legal import legalise
from skverdict.codegen.machine.lift import CALL_OPCODE, Unliftable, arguments, decode, lift
from skverdict.codegen.machine.packet import move_pointers
from skverdict.codegen.machine.registers import Assignment, OutOfRegisters
from skverdict.codegen.machine.shape import arrange, join
from skverdict.codegen.machine.simplify import drop_extensions, drop_unused
from skverdict.codegen.machine.stack import tidy_stack
from skverdict.codegen.machine.stack_use import Uses
from skverdict.codegen.machine.transcribe import transcribe
from skverdict.codegen.machine.unwritten import write_first
from skverdict.dsl.catalogue.programs import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from skverdict.codegen.btf_ext import LineInfo
    from skverdict.codegen.llvm_object import CodeSymbol
    from skverdict.codegen.machine.code import Piece
    from skverdict.codegen.machine.graph import Graph, Symbol
    from skverdict.codegen.machine.lift import Slot
    from skverdict.codegen.target import Target
    from skverdict.dsl.ir.module import Map, Module

_SLOT = 8
_TEXT = ".text"
_LOCAL_CALL = 1


def improve(code: Code, module: Module, target: Target) -> Code:
    """The same code with fewer instructions."""
    return _Improver(code, module, target).run()


class _Improver:
    def __init__(self, code: Code, module: Module, target: Target) -> None:
        self.code = code
        self.target = target
        self.maps: Mapping[str, Map] = {map_.name: map_ for map_ in module.maps}
        self.structs = {struct.name: struct for struct in module.structs}
        self.kinds = {function.name: function.kind for function in module.functions}
        self.functions = {function.name: function for function in code.functions}
        self.at = {(function.section, function.offset): function.name for function in code.functions}
        self.slots: dict[str, list[Slot]] = {}
        self.arities: dict[str, int] = {}
        self.relocations = {
            section: {each.offset: each for each in relocations}
            for section, relocations in code.relocations.items()
        }

    def run(self) -> Code:
        done: dict[str, Encoded] = {}
        for function in self.code.functions:
            done[function.name] = self._function(function)
        return self._place(done)

    def _decoded(self, function: CodeSymbol) -> list[Slot]:
        slots = self.slots.get(function.name)
        if slots is None:
            content = self.code.sections[function.section][function.offset : function.offset + function.size]
            slots = self.slots[function.name] = decode(content, self.target.endian)
        return slots

    def _symbol(self, function: CodeSymbol, slot: int, fields: Slot) -> Symbol | None:
        """What the instruction refers to, if anything."""
        opcode, _, source, _, imm = fields
        if opcode != WIDE and not (opcode == CALL_OPCODE and source == _LOCAL_CALL):
            return None
        place = function.offset + slot * _SLOT
        relocation = self.relocations.get(function.section, {}).get(place)
        if relocation is None:
            if opcode == WIDE:
                return None
            start = place + _SLOT * (imm + 1)
            return "function", self.at[function.section, start], 0
        if relocation.symbol in self.functions:
            return "function", relocation.symbol, 0
        if relocation.symbol == _TEXT:
            start = imm if opcode == WIDE else _SLOT * (imm + 1)
            return "function", self.at[_TEXT, start], 0
        if is_kernel_symbol(relocation.symbol):
            return KERNEL, relocation.symbol, 0
        return "data", relocation.symbol, imm

    def _symbols(self, function: CodeSymbol) -> dict[int, Symbol]:
        found = {}
        for slot, fields in enumerate(self._decoded(function)):
            symbol = self._symbol(function, slot, fields)
            if symbol is not None:
                found[slot] = symbol
        return found

    def _lines(self, function: CodeSymbol) -> list[LineInfo | None]:
        """The source line of each slot; the first of the function for what comes before it."""
        count = function.size // _SLOT
        lines: list[LineInfo | None] = [None] * count
        records = [
            each
            for each in self.code.lines.get(function.section, ())
            if function.offset <= each.offset < function.offset + function.size
        ]
        if not records:
            return lines
        current: LineInfo = records[0]
        following = iter(records)
        upcoming = next(following, None)
        for slot in range(count):
            place = function.offset + slot * _SLOT
            while upcoming is not None and upcoming.offset <= place:
                current = upcoming
                upcoming = next(following, None)
            lines[slot] = current
        return lines

    def _arity(self, name: str) -> int:
        """How many arguments a function of the object takes."""
        if name not in self.arities:
            self.arities[name] = 5  # until it is known: BPF has no recursion
            function = self.functions[name]
            symbols = self._symbols(function)
            slots = self._decoded(function)
            self.arities[name] = arguments(slots, lambda slot: self._taken(slots, slot, symbols))
        return self.arities[name]

    def _taken(self, slots: Sequence[Slot], slot: int, symbols: Mapping[int, Symbol]) -> int:
        """How many arguments the call in a slot takes."""
        symbol = symbols.get(slot)
        if symbol is not None:
            return self._arity(symbol[1])
        helper = calls.helper(slots[slot][4])
        if helper is None:
            raise Unliftable
        declared = helper.arguments
        return 5 if declared and declared[-1].kind == "varargs" else len(declared)

    def _function(self, function: CodeSymbol) -> Encoded:
        symbols = self._symbols(function)
        slots = self._decoded(function)
        lines = self._lines(function)
        original = Encoded(
            self.code.sections[function.section][function.offset : function.offset + function.size],
            symbols,
            [(slot, line) for slot, line in enumerate(lines) if line is not None],
        )
        if frame_size(original.content, self.target.endian) > STACK_SIZE:
            # It is refused later, and what follows knows no such stack.
            return original
        made = []
        with suppress(Unliftable, OutOfRegisters, TooFar):
            made.append(self._shorter(self._lifted(function, slots, symbols, lines)))
        if not made or len(made[0].content) > len(original.content):
            with suppress(Unliftable, TooFar):
                graph = self._lifted(function, slots, symbols, lines)
                first = transcribe(graph, Uses(graph, self.maps), slots, symbols, lines)
                made.append(self._encoded(first))
        return min(made, key=lambda each: len(each.content), default=original)

    def _lifted(
        self,
        function: CodeSymbol,
        slots: Sequence[Slot],
        symbols: Mapping[int, Symbol],
        lines: Sequence[LineInfo | None],
    ) -> Graph:
        kind = self.kinds.get(function.name, "")
        program = kind if kind in PROGRAMS else ""
        return lift(slots, symbols, lines, program, lambda slot: self._taken(slots, slot, symbols))

    def _shorter(self, graph: Graph) -> Encoded:
        """The function made shorter. Raises Unliftable, OutOfRegisters and TooFar."""
        target = self.target
        if graph.is_fixed:
            raise Unliftable
        place_in_instructions(graph, self.structs)
        add_to_frames(graph)
        drop_extensions(graph)
        drop_unused(graph)
        share_loads(graph)
        uses = Uses(graph, self.maps)
        write_first(graph, uses)
        tidy_stack(graph, uses)
        move_pointers(graph)
        drop_unused(graph)
        known = Known(graph)
        put_known_second(graph, known)
        add_to_known(graph, known)
        kept = split_context(graph)
        if kept is not None:
            load_early(graph, kept)
        legalise(graph, stores_constants=target.cpu == "v4")
        assignment = Assignment(graph)
        made = []
        for joins_answers in (False, True) if assignment.has_choice else (False,):
            assignment.choose(joins_answers)
            first = emit(graph, assignment.live, target.has_32_bit_registers)
            made.append(self._encoded(join(first)))
        return min(made, key=lambda each: len(each.content))

    def _encoded(self, first: Piece) -> Encoded:
        """The function that begins with a piece. Raises TooFar."""
        return encode(arrange(first, has_less=self.target.cpu != "v1"), self.target.endian)

    def _place(self, done: Mapping[str, Encoded]) -> Code:
        """The functions in their sections again, in the order they had."""
        ordered = sorted(self.code.functions, key=lambda each: (each.section, each.offset))
        starts: dict[str, int] = {}
        ends: dict[str, int] = dict.fromkeys(self.code.sections, 0)
        for function in ordered:
            starts[function.name] = ends[function.section]
            ends[function.section] += len(done[function.name].content)
        sections: dict[str, bytearray] = {section: bytearray() for section in self.code.sections}
        relocations: dict[str, list[CodeRelocation]] = {}
        lines: dict[str, list[LineInfo]] = {}
        kernel: dict[str, list[KernelRelocation]] = {}
        order = "little" if self.target.endian == "little" else "big"
        for function in ordered:
            encoded = done[function.name]
            start = starts[function.name]
            content = bytearray(encoded.content)
            for slot, (what, name, addend) in encoded.symbols.items():
                place = slot * _SLOT
                wide = content[place] == WIDE
                number = addend
                if what == KERNEL:
                    number, record = resolve(name, start + place, self.structs)
                    kernel.setdefault(function.section, []).append(record)
                    if content[place] & CLASS == LDX:
                        content[place + 2 : place + 4] = number.to_bytes(2, order, signed=True)  # type: ignore[arg-type]
                        continue
                elif what == "function":
                    owner = self.functions[name].section
                    number = starts[name]
                    if not wide:
                        number = number // _SLOT - 1
                        if owner == function.section:
                            number -= (start + place) // _SLOT
                    if wide or owner != function.section:
                        kind = elf.R_BPF_64_64 if wide else elf.R_BPF_64_32
                        relocations.setdefault(function.section, []).append(
                            CodeRelocation(start + place, kind, owner)
                        )
                else:
                    relocations.setdefault(function.section, []).append(
                        CodeRelocation(start + place, elf.R_BPF_64_64, name)
                    )
                content[place + 4 : place + 8] = number.to_bytes(4, order, signed=True)  # type: ignore[arg-type]
            sections[function.section] += content
            records = lines.setdefault(function.section, [])
            last: tuple[str, int, int] | None = None
            for slot, line in encoded.lines:
                here = line.file, line.line, line.column
                if here != last:
                    records.append(line._replace(offset=start + slot * _SLOT))
                    last = here
        functions = [
            each._replace(offset=starts[each.name], size=len(done[each.name].content))
            for each in self.code.functions
        ]
        contents = {name: bytes(content) for name, content in sections.items()}
        return Code(contents, functions, relocations, lines, kernel)
