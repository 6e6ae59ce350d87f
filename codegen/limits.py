"""What BPF and its loaders do not take: names, stack, size of functions."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from skverdict.codegen.btf import BYTE_ORDERS
from skverdict.codegen.call_chains import MOST_BELOW_TAIL_CALL, MOST_FRAMES, chains, reached_from
from skverdict.codegen.errors import CodegenError
from skverdict.codegen.lowering.atomics import has_atomic
from skverdict.codegen.lowering.bounds import Bounds
from skverdict.codegen.lowering.elements import context_of, leaves_view
from skverdict.dsl.errors import Diagnostic, Place
from skverdict.dsl.ir.module import Location
from skverdict.dsl.ir.types import size_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from skverdict.codegen.llvm_object import Code
    from skverdict.codegen.object import Object
    from skverdict.codegen.target import Target
    from skverdict.dsl.ir.module import Function, Module

STACK_SIZE = 512
NAME_SIZE = 127
# Branches hold their distance in 16 bits, signed; only v4 has one of 32 bits.
BRANCH_REACH = 32767
# BPF_COMPLEXITY_LIMIT_INSNS of include/linux/bpf.h, from Linux 5.2 on: a longer program is E2BIG.
MOST_INSTRUCTIONS = 1_000_000
_SLOT_SIZE = 8

_FRAME_POINTER = 10
_MOVE = 0xBF
_ADD_IMMEDIATE = 0x07
_LOAD, _STORES = 1, (2, 3)


class LimitChecker:
    """Checks of one policy; each raises `CodegenError`, with the source line it is about.

    `paths` are what to call the files whose names the IR uses.
    """

    def __init__(self, module: Module, sources: Mapping[str, Sequence[str]], paths: Mapping[str, str]) -> None:
        self._module = module
        self._sources = sources
        self._paths = paths

    def refuse(self, message: str, location: Location | None, hint: str = "") -> CodegenError:
        """The error for `location`, or for the policy as a whole."""
        if location is None:
            return CodegenError(message, Place(self._paths[self._module.file], 0, 0), hint)
        lines = self._sources.get(location.file, ())
        text = lines[location.line - 1] if 0 < location.line <= len(lines) else ""
        file = self._paths.get(location.file, location.file)
        return CodegenError(message, Place(file, location.line, location.column, text=text.rstrip("\r\n")), hint)

    def check_names(self) -> None:
        """The kernel takes C identifiers only (`btf_name_valid_identifier`)."""
        for name, location in self._names():
            if not (name.isascii() and name.isidentifier()):
                problem = "the kernel takes names of ASCII letters, digits and underscores"
            elif len(name) > NAME_SIZE:
                problem = f"the kernel takes names of at most {NAME_SIZE} characters"
            else:
                continue
            raise self.refuse(f"{name[:40]!r} cannot be a name in an object: {problem}", location)

    def _names(self) -> Iterator[tuple[str, Location | None]]:
        for map_ in self._module.maps:
            yield map_.name, map_.location
        for struct_ in self._module.structs:
            yield struct_.name, None
            yield from ((member.name, None) for member in struct_.members)
        for variable in self._module.globals:
            yield variable.name, variable.location
        for function in self._module.functions:
            yield function.name, function.location
            yield from ((parameter.name, function.location) for parameter in function.parameters)

    def check_locals(self) -> None:
        """A local that alone is larger than the stack."""
        for function in self._module.functions:
            for local in function.locals:
                if size_of(local.type) > STACK_SIZE:
                    raise self._stack(
                        function, f"its variable {local.name!r} has {size_of(local.type)} bytes"
                    )

    def check_atomics(self, target: Target) -> None:
        """Atomic operations that the target's CPU version does not have, which LLVM would not survive."""
        for function in self._module.functions:
            for block in function.blocks:
                for operation in block.operations:
                    if operation.name.startswith("atomic.") and not has_atomic(target, operation):
                        name = operation.name.removeprefix("atomic.").replace("_", " ")
                        type_ = operation.operands[1].type
                        what = "" if operation.result is None else " that gives the old value"
                        raise self.refuse(
                            f"cpu {target.cpu} has no atomic {name} of a {type_}{what}",
                            operation.location,
                            "build for cpu v3 or later",
                        )

    def check_views(self) -> None:
        """A computed place in a view of the packet, in a function that cannot look for the packet's end."""
        for function in self._module.functions:
            if context_of(function) is not None:
                continue
            bounds = Bounds(function)
            for block in function.blocks:
                for operation in block.operations:
                    if operation.name not in ("element", "part") or len(operation.operands) != 2:
                        continue
                    base, index = operation.operands
                    if leaves_view(base, index, bounds):
                        raise self.refuse(
                            f"{function.name} looks at a computed place in a view of the packet, whose end "
                            "it does not know",
                            operation.location,
                            "give it the context as well, such as `skb: SkSkb`",
                        )

    def check_frames(self, code: Code, endian: str) -> None:
        """The stack that each function really uses, and each chain of calls."""
        functions = {function.name: function for function in self._module.functions}
        sizes: dict[str, int] = {}
        for symbol in code.functions:
            content = code.sections[symbol.section][symbol.offset : symbol.offset + symbol.size]
            # A copy that LLVM made for certain arguments is called as the function is, and more behind a dot.
            name = symbol.name.partition(".")[0]
            sizes[name] = used = max(frame_size(content, endian), sizes.get(name, 0))
            if used > STACK_SIZE:
                raise self._stack(functions[name], f"it needs {used} bytes")
        if len(sizes) > 1:
            self._check_chains(functions, sizes)

    def check_lengths(self, code: Code) -> None:
        """The instructions of each program, with those of the functions that are loaded with it."""
        counts: dict[str, int] = {}
        for symbol in code.functions:
            name = symbol.name.partition(".")[0]
            counts[name] = counts.get(name, 0) + symbol.size // _SLOT_SIZE
        if sum(counts.values()) <= MOST_INSTRUCTIONS:
            return
        functions = {function.name: function for function in self._module.functions}
        for name, reached in reached_from(self._module).items():
            count = sum(counts.get(each, 0) for each in reached)
            if count > MOST_INSTRUCTIONS:
                raise self.refuse(
                    f"{name} has {count} instructions, the kernel takes {MOST_INSTRUCTIONS}",
                    functions[name].location,
                    "make it shorter, or go on in another program by a tail call",
                )

    def check_verified(self, content: Object, target: Target, kernel: str) -> list[Diagnostic]:
        """What the verifier of `kernel` refuses; warnings of what it, or an older one, may refuse."""
        from skverdict.codegen.verifier.judge import objections

        warnings = []
        for objection in objections(content, kernel):
            line = objection.line
            location = None if line is None else Location(line.file, line.line, line.column)
            hint = objection.hint
            if objection.is_work and not target.has_32_bit_registers:
                # Numbers of 32 bits are compared by copies, of which a comparison tells nothing of the number.
                hint += f"; or build for cpu v3: with cpu {target.cpu} more is left undecided"
            error = self.refuse(objection.message, location, hint)
            if objection.is_certain:
                raise error
            warnings += [Diagnostic(each.place, each.message, each.hint, (), "warning") for each in error.diagnostics]
        return warnings

    def _check_chains(self, functions: Mapping[str, Function], sizes: Mapping[str, int]) -> None:
        for chain, tail_calls in chains(self._module, sizes):
            location = functions[chain.frames[0][0]].location
            if len(chain.frames) > MOST_FRAMES:
                raise self.refuse(
                    f"{len(chain.frames)} functions call each other, the kernel takes {MOST_FRAMES}: {chain}",
                    location,
                    "make some of them @inline",
                )
            if chain.size > STACK_SIZE:
                raise self.refuse(
                    f"this chain of calls does not fit the BPF stack of {STACK_SIZE} bytes: "
                    f"{chain} take {chain.size}",
                    location,
                    "keep large structures in the value of an ArrayMap with one entry",
                )
            below = chain.size - chain.frames[-1][1]
            if tail_calls and below >= MOST_BELOW_TAIL_CALL:
                raise self.refuse(
                    f"{chain.frames[-1][0]} makes a tail call with {below} bytes of stack below it, "
                    f"the kernel takes less than {MOST_BELOW_TAIL_CALL}: {chain}",
                    location,
                    "make the tail call in the program itself",
                )

    def too_wide(self, functions: Collection[str]) -> CodegenError:
        """The error for functions whose arithmetic LLVM widened to more than 64 bits, come what may."""
        function = next(each for each in self._module.functions if each.name in functions)
        return self.refuse(
            f"the arithmetic of {function.name} needs integers of more than 64 bits, which BPF does not have",
            function.location,
            "write what its loops compute in another way",
        )

    def _stack(self, function: Function, need: str) -> CodegenError:
        return self.refuse(
            f"{function.name} does not fit the BPF stack of {STACK_SIZE} bytes: {need}",
            function.location,
            "keep large structures in the value of an ArrayMap with one entry",
        )

    def check_reach(self, sizes: Mapping[str, int]) -> None:
        """Functions that some branch might not span, from their instruction counts."""
        for function in self._module.functions:
            count = sizes.get(function.name, 0)
            if count > BRANCH_REACH:
                raise self.refuse(
                    f"{function.name} has {count} instructions, branches reach {BRANCH_REACH} before cpu v4",
                    function.location,
                    "build for cpu v4, or make it shorter",
                )


def frame_size(content: bytes, endian: str) -> int:
    """Bytes of stack that the instructions of one function reach below the frame pointer."""
    lowest = 0
    copies = set()
    for opcode, registers, offset, immediate in struct.iter_unpack(f"{BYTE_ORDERS[endian]}BBhi", content):
        first, second = registers & 0xF, registers >> 4
        destination, source = (first, second) if endian == "little" else (second, first)
        kind = opcode & 7
        if (kind == _LOAD and source == _FRAME_POINTER) or (
            kind in _STORES and destination == _FRAME_POINTER
        ):
            lowest = min(lowest, offset)
        elif opcode == _MOVE and source == _FRAME_POINTER:
            copies.add(destination)
        elif opcode == _ADD_IMMEDIATE and destination in copies:
            # LLVM makes a stack address of a copy of the frame pointer and one addition right behind it.
            lowest = min(lowest, immediate)
            copies.discard(destination)
    return -lowest
