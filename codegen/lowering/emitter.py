"""What the lowering rules write to: the text of one LLVM module and of one function in it."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from skverdict.codegen.data_sections import strings_of
from skverdict.codegen.lowering.bounds import Bounds
from skverdict.codegen.lowering.debug_info import DebugInfo, quote
from skverdict.codegen.lowering.loops import repeated_values
from skverdict.dsl.ir.types import BigEndian, Bool, Int, Pointer, Space, Struct, Void, align_of, size_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skverdict.codegen.lowering.tallies import Variable
    from skverdict.codegen.target import Target
    from skverdict.dsl.ir.module import Function, Global, Local, Location, Map, Module, Operation, Value
    from skverdict.dsl.ir.types import Type

# Aggregates on the stack begin at this alignment, so that LLVM may clear and copy them in 8-byte steps.
STACK_ALIGN = 8


class ModuleEmitter:
    """The module's text so far: declarations in order of first use, functions, debug metadata."""

    def __init__(self, module: Module, target: Target) -> None:
        self.module = module
        self.target = target
        self.debug = DebugInfo(module.file)
        self.functions: list[str] = []
        self.maps: dict[str, Map] = {map_.name: map_ for map_ in module.maps}
        self.globals: dict[str, Global] = {variable.name: variable for variable in module.globals}
        self.strings = strings_of(module)
        self._declarations: dict[str, None] = {}

    def declare(self, declaration: str) -> None:
        """Make sure the module has this declaration."""
        self._declarations[declaration] = None

    def text(self) -> str:
        """The whole module as LLVM's assembly language."""
        order = "e" if self.target.endian == "little" else "E"
        return "\n".join(
            (
                f'target datalayout = "{order}-m:e-p:64:64-i64:64-i128:128-n32:64-S128"',
                f'target triple = "{self.target.triple}"',
                *self._declarations,
                *self.functions,
                *self.debug.lines(),
                "",
            )
        )


class FunctionEmitter:
    """One function's text so far, and the LLVM operand that stands for each IR value.

    `constants` holds the numbers of values known at compile time, as the register holds them; `aligns` what
    is known of the alignment of a stack address; `swapped` the operand before its bytes were reversed. With
    `opaque` LLVM does not see how variables change. `forgotten` are the numbers on the stack that the verifier is to
    forget, by adding `zero`, an operand of 64 bits.
    """

    def __init__(
        self, module: ModuleEmitter, function: Function, opaque: bool, forgotten: Mapping[Variable, Int]
    ) -> None:
        self.module = module
        self.target = module.target
        self.opaque = opaque
        self.function = function
        self.locals = {local.name: local for local in function.locals}
        self._slots = {local.name: f"%l{number}" for number, local in enumerate(function.locals)}
        self.constants: dict[int, int] = {}
        self.aligns: dict[int, int] = {}
        self.swapped: dict[int, str] = {}
        self.lines: list[str] = []
        self.forgotten = forgotten
        self.zero = ""
        self._bounds: Bounds | None = None
        self._repeated: frozenset[int] | None = None
        self._operands: dict[int, str] = {}
        self._labels = {block.label: f"b{number}" for number, block in enumerate(function.blocks)}
        self._temporaries = 0
        self._block = ""
        self._answers: list[tuple[str, str]] = []
        self._file = function.location.file if function.location else module.module.file
        self._scope = module.debug.function(function.name, function.location)
        self._place = ""
        for parameter in function.parameters:
            self._operands[parameter.value.number] = f"%p{parameter.value.number}"

    def hide(self, operand: str, bits: int, apart: bool = False, beside: int | None = None) -> str:
        """`operand` as a value of `bits` that LLVM knows nothing of, at the cost of a move at most.

        Two uses: LLVM draws no conclusion from what is done to it, and the register that is compared is the
        one that is used, which the verifier must see. Of one operand all hidden values are the same to LLVM,
        but for those that are hidden `apart`, which is another kind of the same nothing, or `beside` another number.
        """
        register = "w" if bits == 32 and self.target.has_32_bit_registers else "r"
        dialect = "inteldialect " if apart else ""
        constraint, number = ("", "") if beside is None else (",i", f", i64 {beside}")
        assembly = f'asm {dialect}"", "={register},0{constraint}"'
        return self.define(f"call i{bits} {assembly}(i{bits} {operand}{number}) nounwind memory(none)")

    def hide_address(self, operand: str) -> str:
        """A pointer of which LLVM knows nothing: what is done with it stays behind the branches it stands behind."""
        return self.define(f'call ptr asm "", "=r,0"(ptr {operand}) nounwind memory(none)')

    def at_most(self, operand: str, last: int) -> str:
        """A number of 64 bits that is not larger than `last`, so that the verifier sees it, too."""
        operand = self.hide(operand, 64)
        if last & (last + 1) == 0:
            return self.define(f"and i64 {operand}, {last}")
        larger = self.define(f"icmp ugt i64 {operand}, {last}")
        return self.define(f"select i1 {larger}, i64 {last}, i64 {operand}")

    @property
    def bounds(self) -> Bounds:
        """What is known of the size of the function's numbers."""
        if self._bounds is None:
            self._bounds = Bounds(self.function, {local for local, _ in self.forgotten})
        return self._bounds

    @property
    def repeated(self) -> frozenset[int]:
        """The numbers of the values that are made in a loop."""
        if self._repeated is None:
            self._repeated = repeated_values(self.function)
        return self._repeated

    @property
    def scope(self) -> int:
        """The function's debug metadata node."""
        return self._scope

    def at(self, location: Location | None) -> None:
        """What is emitted from here on comes from `location` (None: where the last one came from)."""
        if location is not None:
            self._place = f", !dbg !{self.module.debug.location(self._scope, self._file, location)}"
        elif not self._place and self.function.location is not None:
            self.at(self.function.location)

    def emit(self, text: str) -> None:
        """An instruction without a result."""
        self.lines.append(f"  {text}{self._place}")

    def define(self, text: str) -> str:
        """An instruction with a result, whose operand is returned."""
        self._temporaries += 1
        name = f"%t{self._temporaries}"
        self.lines.append(f"  {name} = {text}{self._place}")
        return name

    def bind(self, operation: Operation, operand: str) -> None:
        """`operand` stands for the operation's result."""
        assert operation.result is not None
        self._operands[operation.result.number] = operand

    def operand(self, value: Value) -> str:
        """The operand that stands for `value`, without its type."""
        return self._operands[value.number]

    def typed(self, value: Value) -> str:
        """The operand with its type before it."""
        return f"{llvm_type(value.type)} {self._operands[value.number]}"

    def slot(self, local: Local) -> str:
        """LLVM's name of a local's place on the stack."""
        return self._slots[local.name]

    def new_label(self) -> str:
        """A block label that no IR block has."""
        self._temporaries += 1
        return f"x{self._temporaries}"

    def start_block(self, label: str) -> None:
        self._block = label
        self.lines.append(f"{label}:")

    def leave(self, operand: str) -> None:
        """Return `operand` (empty: nothing)."""
        self._answers.append((operand, self._block))
        self.emit("br label %end")

    def end(self) -> None:
        """The last block, where all returns meet: where LLVM makes it itself, the code is longer."""
        self.start_block("end")
        kind = llvm_type(self.function.result)
        if not self._answers:
            self.emit("unreachable")
        elif kind == "void":
            self.emit("ret void")
        else:
            answers = ", ".join(f"[ {operand}, %{block} ]" for operand, block in self._answers)
            self.emit(f"ret {kind} {self.define(f'phi {kind} {answers}')}")

    def label(self, ir_label: str) -> str:
        """The LLVM label of an IR block."""
        return self._labels[ir_label]

    def align(self, pointer: Value, type_: Type) -> int:
        """The alignment in bytes to claim for an access of `type_` at `pointer`.

        The verifier wants stack accesses aligned, so there it is what is known. Elsewhere the kernel takes
        any address (on machines that do), and LLVM would split an access of which less is claimed into bytes.
        """
        natural = align_of(type_)
        if isinstance(pointer.type, Pointer) and pointer.type.space is Space.STACK:
            return gcd(natural, self.known_align(pointer))
        return natural

    def align_for_block(self, pointer: Value) -> int:
        """The alignment in bytes to claim for moving an aggregate: 8 wherever the stack is not involved."""
        if isinstance(pointer.type, Pointer) and pointer.type.space is Space.STACK:
            return self.known_align(pointer)
        return STACK_ALIGN

    def known_align(self, pointer: Value) -> int:
        """The alignment that an address has for certain, when stored in C's way."""
        known = self.aligns.get(pointer.number)
        if known is None:
            assert isinstance(pointer.type, Pointer)
            known = align_of(pointer.type.target)
        return known


def llvm_type(type_: Type) -> str:
    """LLVM's type for a value of `type_` in a register."""
    if isinstance(type_, (Int, BigEndian)):
        return f"i{type_.bits}"
    if isinstance(type_, Bool):
        return "i1"
    if isinstance(type_, Pointer):
        return "ptr"
    if isinstance(type_, Void):
        return "void"
    raise TypeError(f"{type_} does not fit a register")


def memory_type(type_: Type) -> str:
    """LLVM's type for `type_` in memory."""
    return "i8" if isinstance(type_, Bool) else llvm_type(type_)


def is_aggregate(type_: Type) -> bool:
    """True for what lives in memory only."""
    return not isinstance(type_, (Int, BigEndian, Bool, Pointer, Void))


def function_name(name: str) -> str:
    """LLVM's global name of a function or map."""
    return f"@{quote(name)}"


def member_offset(struct: Struct, name: str) -> int:
    """Bytes from the start of `struct` to its member `name`."""
    member = struct.member(name)
    assert member is not None
    return member.offset


def scalar_bytes(type_: Type) -> int:
    """Bytes that a scalar takes."""
    return size_of(type_)
