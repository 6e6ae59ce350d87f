"""From a program of an object to one that runs: every instruction is checked and turned into its step, and what
it calls is found.

What can be refused without running is refused here: unknown instructions, jumps to nowhere, helpers that the
program's kind may not call or that the simulator does not have. The rules are those of kernel/bpf/verifier.c
that need no analysis of values.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, cast

from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import (
    CALL_THROUGH_REGISTER,
    InstructionError,
    Operation,
    jump_target,
    operation,
)
from skverdict.codegen.object import Object, Program
from skverdict.dsl.catalogue.helpers import HELPERS, Helper
from skverdict.dsl.catalogue.programs import KERNELS, PROGRAMS
from skverdict.runtime.machine import steps
from skverdict.runtime.machine.arguments import arguments_reader
from skverdict.runtime.machine.call_graph import check_calls
from skverdict.runtime.machine.calls import address, helper_call, table_jump, tail_call
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.fault import LoadError, Place, Unsupported, UnsupportedHelper
from skverdict.runtime.machine.first_kernels import first_kernel
from skverdict.runtime.machine.memory import ByteOrder, Bytes, FunctionRegion, JumpTable, MapRegion, Region
from skverdict.runtime.machine.run import LoadedProgram, Run, Step
from skverdict.runtime.machine.semantics import signed
from skverdict.runtime.machine.structures import plain_fields
from skverdict.runtime.machine.translate import Code
from skverdict.runtime.machine.translation import Translation
from skverdict.runtime.machine.unsupported import UNSUPPORTED
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.program_array import ProgramArray

_HELPERS: dict[int, Helper] = {helper.number: helper for helper in HELPERS.values()}

#: Licenses that the kernel takes for GPL-compatible (include/linux/license.h).
_GPL_COMPATIBLE = (
    "GPL",
    "GPL v2",
    "GPL and additional rights",
    "Dual BSD/GPL",
    "Dual MIT/GPL",
    "Dual MPL/GPL",
)

_FAMILIES: dict[str, Callable[[steps.Site], Step]] = {
    "alu": steps.alu,
    "byte_order": steps.byte_order,
    "jump": steps.jump,
    "goto": steps.goto,
    "may_goto": steps.may_goto,
    "exit": steps.exit_,
    "load": steps.load,
    "store": steps.store,
    "atomic": steps.atomic,
    "load_acquire": steps.load_acquire,
    "store_release": steps.store_release,
}

#: Instructions that the kernel knows and the simulator does not run, by family or by kind of constant or
#: call.
_REFUSED = {
    "packet": "loads from the packet by the legacy instruction; load through skb.data or bpf_skb_load_bytes",
    "addr_space_cast": "casts a pointer between address spaces; arenas are not simulated",
    "kfunc": "calls a kernel function (kfunc); the simulator has helpers only",
    "variable": "takes the address of a kernel variable, which the simulator does not have",
    "map_fd": "takes a map by file descriptor; the object names no map here",
    "map_index": "takes a map by index, as only the system call's own loaders write it",
    "map_index_value": "takes a map by index, as only the system call's own loaders write it",
    "map_value": "takes a map's value by file descriptor; the object names no data section here",
}

_WRITES_DST = ("alu", "byte_order", "load", "load_acquire", "constant")


def data_memory(object_: Object) -> dict[str, Bytes]:
    """The data sections of `object_`, as the programs loaded from it share them."""
    order = cast(ByteOrder, object_.endian)
    return {
        name: Bytes(f"data section {name}", bytearray(section.content), order, not section.read_only)
        for name, section in object_.data.items()
    }


def load(
    object_: Object, name: str, maps: Mapping[str, Map], data: Mapping[str, Bytes], environment: Environment
) -> LoadedProgram:
    """Make program `name` of `object_` ready to run, with the `maps` and `data` that it names.

    `data` is what `data_memory` gave. Raises LoadError, or UnsupportedHelper for what the simulator lacks.
    """
    program = object_.programs[name]
    return _Loader(object_, program, maps, data, environment).load()


class _Loader:
    """What the steps of one program are made from."""

    def __init__(
        self,
        object_: Object,
        program: Program,
        maps: Mapping[str, Map],
        data: Mapping[str, Bytes],
        environment: Environment,
    ) -> None:
        self.license = object_.license
        self.order = cast(ByteOrder, object_.endian)
        self.program = program
        self.maps = maps
        self.data = data
        self.environment = environment
        self.operations = {slot: self._operation(slot, each) for slot, each in program.instructions.items()}
        self.calls = {slot: callee for slot in self.operations if (callee := self._callee(slot)) is not None}
        self.functions = sorted({0, *self.calls.values()})
        #: What instructions call when they run, by their slots.
        self.called: dict[int, Callable[..., Any]] = {}
        #: The functions whose addresses instructions load, by their slots.
        self.named: dict[int, FunctionRegion] = {}

    def load(self) -> LoadedProgram:
        if not self.operations:
            self._refuse(0, "has no instructions")
        made: list[Step] = [_middle_of_instruction] * self.program.slots
        for slot in self.operations:
            made[slot] = self._step(slot)
        for slot, reference in self.program.kernel.items():
            self._refuse(slot, f"depends on the running kernel's types (CO-RE): {reference}", Unsupported)
        check_calls(self.program, self.operations, self.functions, self.calls, self.environment.kernel)
        kind = self.program.kind
        code = Code(
            self.program.instructions,
            self.operations,
            self.functions,
            self.calls,
            self.program.table_targets,
            self.called.keys(),
            plain_fields(PROGRAMS[kind].context, kind, self.environment.kernel),
            _HELPERS.__getitem__,
            self.order,
        )
        translation = Translation(self.program.name, code, self.called)
        return LoadedProgram(self.program, self.order, made, translation, self.named)

    def _refuse(self, slot: int, reason: str, error: type[LoadError] = LoadError) -> NoReturn:
        raise error(f"{self.program.name} {reason}", Place(self.program, slot))

    def _operation(self, slot: int, instruction: Instruction) -> Operation:
        try:
            found = operation(instruction)
        except InstructionError as error:
            elsewhere = instruction.opcode == CALL_THROUGH_REGISTER
            self._refuse(slot, f"has a bad instruction: {error}", Unsupported if elsewhere else LoadError)
        named = (self.program.maps, self.program.data, self.program.tables)
        for name in (found.name, found.family):
            if name in _REFUSED and not any(slot in each for each in named):
                self._refuse(slot, _REFUSED[name], Unsupported)
        kernel = self.environment.kernel
        if KERNELS.index(first_kernel(found)) > KERNELS.index(kernel):
            self._refuse(slot, f"has the instruction {found.symbol}, which Linux {kernel} does not know")
        written = instruction.dst if found.family in _WRITES_DST else instruction.src if found.fetch else 0
        if written == 10:
            self._refuse(slot, "writes r10, the read-only frame pointer")
        return found

    def _callee(self, slot: int) -> int | None:
        """The function that the instruction at `slot` calls or names."""
        found, instruction = self.operations[slot], self.program.instructions[slot]
        if found.family == "constant" and found.name == "function":
            return slot + 1 + signed(instruction.imm, 32)
        if found.family == "call" and found.name == "local":
            return slot + 1 + instruction.imm
        return None

    def _function(self, slot: int) -> int:
        return bisect_right(self.functions, slot)

    def _step(self, slot: int) -> Step:
        instruction, found = self.program.instructions[slot], self.operations[slot]
        after, callee = slot + instruction.slots, self.calls.get(slot)
        target = jump_target(slot, instruction, found) if callee is None else callee
        jumps = self.program.table_targets(slot) if found.family == "gotox" else ()
        for each in jumps if target is None else (target,):
            if each not in self.operations:
                self._refuse(slot, f"goes to {each}, where no instruction begins")
            if callee is None and self._function(each) != self._function(slot):
                self._refuse(slot, f"jumps to {each}, into another function")
        goes_on = found.family not in ("exit", "goto", "gotox")
        if goes_on and (after not in self.operations or self._function(after) != self._function(slot)):
            self._refuse(slot, "is the last of its function and no exit or jump")
        site = steps.Site(instruction, found, slot, after, -1 if target is None else target, self.order)
        if found.family == "constant":
            return self._constant(site)
        if found.family == "gotox":
            if not jumps:
                self._refuse(slot, "jumps by a table, and its function has none")
            find = self.called[slot] = table_jump(jumps)
            return steps.gotox(site, find)
        if found.family == "call":
            return steps.call_local(site) if found.name == "local" else self._helper_call(site)
        return _FAMILIES[found.family](site)

    def _constant(self, site: steps.Site) -> Step:
        map_reference = self.program.maps.get(site.slot)
        if map_reference is not None:
            map_ = self.maps[map_reference.map]
            if isinstance(map_, ProgramArray) and not map_.claim(self.program.kind):
                self._refuse(site.slot, f"names map {map_.name}, which is for {map_.owner} programs")
            return self._address(site, MapRegion(map_), map_)
        data_reference = self.program.data.get(site.slot)
        if data_reference is not None:
            region = self.data[data_reference.section]
            return self._address(site, region, region, data_reference.offset)
        table_reference = self.program.tables.get(site.slot)
        if table_reference is not None:
            table = JumpTable(table_reference.targets)
            return self._address(site, table, table)
        if site.operation.name == "function":
            function = self.named[site.slot] = FunctionRegion(site.target)
            return self._address(site, function, function)
        return steps.number(site)

    def _address(self, site: steps.Site, region: Region, stands_for: object, offset: int = 0) -> Step:
        find = self.called[site.slot] = address(region, stands_for, offset)
        return steps.address(site, find)

    def _helper_call(self, site: steps.Site) -> Step:
        helper = _HELPERS.get(site.instruction.imm)
        kind, kernel = self.program.kind, self.environment.kernel
        if helper is None:
            self._refuse(site.slot, f"calls helper {site.instruction.imm}, which no {kind} program may call")
        if helper.sleeps or not helper.may_call(kind, kernel):
            self._refuse(
                site.slot, f"calls {helper.name}, which a {kind} program may not call on Linux {kernel}"
            )
        if helper.gpl_only and self.license not in _GPL_COMPATIBLE:
            self._refuse(
                site.slot, f"calls {helper.name}, which only a program with a GPL-compatible license may call"
            )
        arguments = arguments_reader(helper)
        if arguments is not None and helper.name == "bpf_tail_call":
            find = self.called[site.slot] = tail_call(site.slot, helper, arguments)
            return steps.tail_call(site, find)
        perform = self.environment.helpers.get(helper.name)
        if perform is None or arguments is None:
            place = Place(self.program, site.slot)
            raise UnsupportedHelper(helper.name, place, UNSUPPORTED.get(helper.name, ""))
        call = self.called[site.slot] = helper_call(site.slot, helper, perform, arguments)
        return steps.call_helper(site, call)


def _middle_of_instruction(r: list[int], run: Run) -> int:
    """The step of the second slot of a wide instruction, which nothing can reach."""
    raise AssertionError("the second half of a wide instruction was run")
