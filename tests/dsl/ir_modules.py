"""Random well-formed modules.

`modules(names)` draws a whole module whose names come from `names`. A function gets its graph of blocks
first, then operations whose operands are values that dominate them; operations that find no operand are left
out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from operator import eq
from typing import Any

from hypothesis import strategies as st
from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.catalogue.maps import MAP, MAPS
from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.dsl.ir.module import (
    Attribute,
    Block,
    Function,
    Global,
    Local,
    Location,
    Map,
    Module,
    Operation,
    Parameter,
    Value,
)
from skverdict.dsl.ir.types import (
    BOOL,
    I32,
    I64,
    SCALARS,
    U8,
    U32,
    U64,
    VOID,
    Array,
    BigEndian,
    Bool,
    Int,
    Opaque,
    Pointer,
    Space,
    Struct,
    Type,
    lay_out,
    scalars_in,
    size_of,
)

Draw = Callable[[st.SearchStrategy[Any]], Any]

IDENTIFIERS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
ANY_TEXT = st.text(max_size=8)
SCALAR_TYPES = st.sampled_from(sorted(SCALARS.values(), key=str))
ARITHMETIC = ["add", "sub", "mul", "div", "mod", "and", "or", "xor", "shl", "shr"]
COMPARISONS = ["lt", "le", "gt", "ge", "eq", "ne"]
INTEGERS = st.sampled_from([type_ for type_ in SCALARS.values() if isinstance(type_, Int)])


def graph_dominators(successors: list[list[int]]) -> list[set[int] | None]:
    """For each block the blocks that every path to it goes through, by taking each block away in turn."""

    def reachable(without: int | None) -> set[int]:
        seen: set[int] = set()
        todo = [0] if without != 0 else []
        while todo:
            block = todo.pop()
            if block not in seen:
                seen.add(block)
                todo += [after for after in successors[block] if after != without]
        return seen

    reached = reachable(None)
    cut = [reachable(block) for block in range(len(successors))]
    dominators: list[set[int] | None] = []
    for block in range(len(successors)):
        above = {other for other in reached if other == block or block not in cut[other]}
        dominators.append(above if block in reached else None)
    return dominators


class Builder:
    """One function being drawn."""

    def __init__(self, draw: Draw, module: Module, function: Function) -> None:
        self.draw = draw
        self.module = module
        self.function = function
        self.numbers = count(draw(st.integers(0, 9)))

    def pick(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self.draw(strategy)

    def location(self) -> Location | None:
        files = st.sampled_from([self.module.file, "other.py", 'odd "name"\\\n.py'])
        places = st.builds(Location, files, st.integers(1, 999), st.integers(1, 120))
        location: Location | None = self.pick(st.none() | places)
        return location

    def emit(
        self, block: Block, name: str, operands: tuple[Value, ...] = (), type_: Type = VOID, /,
        successors: tuple[str, ...] = (), **attributes: Attribute,
    ) -> Value | None:  # fmt: skip
        result = None if type_ == VOID else Value(next(self.numbers), type_)
        location = self.location()
        block.operations.append(Operation(name, operands, dict(attributes), result, successors, location))
        return result

    def fill(self, block: Block, available: list[Value]) -> None:
        for _ in range(self.pick(st.integers(0, 5))):
            maker = self.pick(st.sampled_from(MAKERS))
            result = maker(self, block, available)
            if result is not None:
                available.append(result)

    def one(self, available: list[Value], wanted: Callable[[Type], bool]) -> Value | None:
        fitting = [value for value in available if wanted(value.type)]
        return self.pick(st.sampled_from(fitting)) if fitting else None

    def constant(self, block: Block, type_: Bool | Int | BigEndian) -> Value:
        if isinstance(type_, Bool):
            low, high = 0, 1
        elif isinstance(type_, Int) and type_.signed:
            low, high = -(1 << type_.bits - 1), (1 << type_.bits - 1) - 1
        else:
            low, high = 0, (1 << type_.bits) - 1
        value = self.emit(block, "const", (), type_, value=self.pick(st.integers(low, high)))
        assert value is not None
        return value

    def finish(self, block: Block, available: list[Value], targets: list[str]) -> None:
        """End the block: return if it goes nowhere, else jump, branch or switch."""
        if not targets:
            result = self.function.result
            given = (self.constant(block, result),) if isinstance(result, (Bool, Int, BigEndian)) else ()
            self.emit(block, "return", given)
        elif len(targets) == 1:
            self.emit(block, "jump", successors=tuple(targets))
        elif len(targets) == 2 and self.pick(st.booleans()):
            condition = self.one(available, lambda type_: type_ == BOOL) or self.constant(block, BOOL)
            self.emit(block, "branch", (condition,), successors=tuple(targets))
        else:
            selector = self.constant(block, self.pick(INTEGERS))
            count_ = len(targets) - 1
            cases = self.pick(st.lists(st.integers(0, 127), min_size=count_, max_size=count_, unique=True))
            attributes = {f"case{index}": case for index, case in enumerate(cases)}
            self.emit(block, "switch", (selector,), successors=tuple(targets), **attributes)


Maker = Callable[[Builder, Block, list[Value]], "Value | None"]


def is_scalar(type_: Type) -> bool:
    return isinstance(type_, (Bool, Int, BigEndian))


def is_context(type_: Type) -> bool:
    return isinstance(type_, Pointer) and type_.space is Space.CONTEXT


def memory(type_: Type) -> bool:
    return (
        isinstance(type_, Pointer)
        and not type_.nullable
        and type_.space in (Space.STACK, Space.PACKET, Space.MAP_VALUE)
    )


def points_to(*kinds: type) -> Callable[[Type], bool]:
    return lambda type_: memory(type_) and isinstance(type_, Pointer) and isinstance(type_.target, kinds)


def make_constant(b: Builder, block: Block, available: list[Value]) -> Value | None:
    return b.constant(block, b.pick(SCALAR_TYPES))


def make_binary(b: Builder, block: Block, available: list[Value]) -> Value | None:
    one = b.one(available, lambda type_: isinstance(type_, Int))
    if one is None:
        return None
    other = b.one(available, lambda type_: type_ == one.type)
    assert other is not None
    name = b.pick(st.sampled_from(ARITHMETIC + COMPARISONS))
    return b.emit(block, name, (one, other), BOOL if name in COMPARISONS else one.type)


def make_choice(b: Builder, block: Block, available: list[Value]) -> Value | None:
    condition, one = b.one(available, lambda type_: type_ == BOOL), b.one(available, is_scalar)
    if condition is None or one is None:
        return None
    flipped = b.emit(block, "not", (condition,), BOOL)
    equal = b.emit(block, "eq", (one, one), BOOL)
    assert flipped is not None and equal is not None
    available += [flipped, equal]
    return b.emit(block, "select", (flipped, one, one), one.type)


def make_conversion(b: Builder, block: Block, available: list[Value]) -> Value | None:
    one = b.one(available, is_scalar)
    if one is None:
        return None
    if isinstance(one.type, BigEndian):
        name = b.pick(st.sampled_from(["swap", "reinterpret"]))
        return b.emit(block, name, (one,), Int(one.type.bits, b.pick(st.booleans())))
    if isinstance(one.type, Int) and one.type.bits > 8 and b.pick(st.booleans()):
        return b.emit(block, "swap", (one,), BigEndian(one.type.bits))
    return b.emit(block, "convert", (one,), b.pick(INTEGERS))


def make_local_use(b: Builder, block: Block, available: list[Value]) -> Value | None:
    if not b.function.locals:
        return None
    local = b.pick(st.sampled_from(b.function.locals))
    b.emit(block, "local.zero", local=local.name)
    if isinstance(local.type, Pointer):
        return b.emit(block, "local.get", (), local.type, local=local.name)
    if is_scalar(local.type):
        got = b.emit(block, "local.get", (), local.type, local=local.name)
        assert got is not None
        b.emit(block, "local.set", (got,), local=local.name)
    return b.emit(block, "local.address", (), Pointer(local.type, Space.STACK), local=local.name)


def make_member(b: Builder, block: Block, available: list[Value]) -> Value | None:
    one = b.one(available, points_to(Struct))
    if one is None or not isinstance(one.type, Pointer) or not isinstance(one.type.target, Struct):
        return None
    b.emit(block, "copy", (one, one))
    member = b.pick(st.sampled_from(one.type.target.members))
    return b.emit(block, "member", (one,), Pointer(member.type, one.type.space), name=member.name)


def make_element(b: Builder, block: Block, available: list[Value]) -> Value | None:
    one = b.one(available, points_to(Array))
    if one is None or not isinstance(one.type, Pointer) or not isinstance(one.type.target, Array):
        return None
    index = b.constant(block, U32)
    return b.emit(block, "element", (one, index), Pointer(one.type.target.element, one.type.space))


def make_part(b: Builder, block: Block, available: list[Value]) -> Value | None:
    one = b.one(available, points_to(Array, Struct))
    if one is None or not isinstance(one.type, Pointer):
        return None
    offset = b.pick(st.integers(0, size_of(one.type.target) - 1))
    order = b.emit(block, "const.order", (), U32, little=offset, big=0)
    assert order is not None
    return b.emit(block, "part", (one, order), Pointer(U8, one.type.space), offset=offset)


def make_atomic(b: Builder, block: Block, available: list[Value]) -> Value | None:
    wide = [Pointer(type_, Space.STACK) for type_ in (U32, U64, I32, I64)]
    place = b.one(available, lambda type_: type_ in wide)
    if place is None or not isinstance(place.type, Pointer):
        return None
    target = place.type.target
    assert isinstance(target, Int)
    number = b.constant(block, target)
    name = b.pick(st.sampled_from(["add", "and", "or", "xor", "exchange", "compare_exchange"]))
    operands = (place, number, number) if name == "compare_exchange" else (place, number)
    null = b.emit(block, "null", (), place.type._replace(nullable=True))
    found = b.emit(block, "or_null", (b.constant(block, BOOL), place), place.type._replace(nullable=True))
    assert null is not None and found is not None
    available += [null, found]
    return b.emit(block, f"atomic.{name}", operands, b.pick(st.sampled_from([VOID, target])))


def make_memory_access(b: Builder, block: Block, available: list[Value]) -> Value | None:
    one = b.one(available, points_to(Bool, Int, BigEndian))
    if one is None or not isinstance(one.type, Pointer):
        return None
    loaded = b.emit(block, "load", (one,), one.type.target)
    assert loaded is not None
    b.emit(block, "store", (one, loaded))
    return loaded


def make_context_load(b: Builder, block: Block, available: list[Value]) -> Value | None:
    context = b.one(available, is_context)
    if context is None or not isinstance(context.type, Pointer):
        return None
    fields = CONTEXTS[str(context.type.target)].fields.values()
    readable = [field for field in fields if field.readers and field.role in ("", "socket")]
    field = b.pick(st.sampled_from(readable))
    if field.role:
        type_ = Pointer(Opaque("bpf_sock"), Space.SOCKET, field.nullable)
        return b.emit(block, "context.load", (context,), type_, field=field.name)
    if isinstance(field.type, Array):
        index = b.pick(st.integers(0, field.type.count - 1))
        return b.emit(block, "context.load", (context,), field.type.element, field=f"{field.name}.{index}")
    return b.emit(block, "context.load", (context,), field.type, field=field.name)


def make_context_store(b: Builder, block: Block, available: list[Value]) -> Value | None:
    context = b.one(available, is_context)
    value = b.one(available, lambda type_: type_ == U32)
    if context is None or value is None or not isinstance(context.type, Pointer):
        return None
    fields = [field for field in CONTEXTS[str(context.type.target)].fields.values() if field.writers]
    if fields:
        b.emit(block, "context.store", (context, value), field=b.pick(st.sampled_from(fields)).name)
    return None


def make_view(b: Builder, block: Block, available: list[Value]) -> Value | None:
    context, target = b.one(available, is_context), b.pick(st.sampled_from([U32, *b.module.structs]))
    if context is None:
        return None
    offset = b.one(available, lambda type_: type_ == U32) if b.pick(st.booleans()) else None
    view = b.emit(
        block, "packet.view", (context,) if offset is None else (context, offset),
        Pointer(target, Space.PACKET, nullable=True), offset=b.pick(st.integers(0, 99)), limit=0,
    )  # fmt: skip
    assert view is not None
    null = b.emit(block, "is_null", (view,), BOOL)
    assert null is not None
    available.append(null)
    return b.emit(block, "assume_non_null", (view,), Pointer(target, Space.PACKET))


def make_map_call(b: Builder, block: Block, available: list[Value]) -> Value | None:
    maps = [map_ for map_ in b.module.maps if map_.key is not None and MAPS[map_.kind].entry == "memory"]
    maps = [map_ for map_ in maps if map_.kind != "sk_storage"]
    if not maps:
        return None
    map_ = b.pick(st.sampled_from(maps))
    keys = [Pointer(map_.key, space) for space in (Space.STACK, Space.PACKET, Space.MAP_VALUE)]
    key = b.one(available, lambda type_: type_ in keys)
    if key is None:
        return None
    address = b.emit(block, "map", (), Pointer(Opaque("bpf_map"), Space.MAP), map=map_.name)
    assert address is not None
    result = Pointer(map_.value, Space.MAP_VALUE, nullable=True)
    return b.emit(block, "call.helper", (address, key), result, helper="bpf_map_lookup_elem")


def make_address(b: Builder, block: Block, available: list[Value]) -> Value | None:
    text = b.pick(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=5))
    bytes_ = Array(U8, len(text.encode()) + 1)
    b.emit(block, "string", (), Pointer(bytes_, Space.MAP_VALUE), text=text)
    for callee in b.module.functions:
        if callee.kind == "subprogram":
            type_ = Pointer(Opaque("function"), Space.FUNCTION)
            b.emit(block, "function", (), type_, function=callee.name)
    if not b.module.globals:
        return None
    variable = b.pick(st.sampled_from(b.module.globals))
    return b.emit(block, "global", (), Pointer(variable.type, Space.MAP_VALUE), **{"global": variable.name})


def make_call(b: Builder, block: Block, available: list[Value]) -> Value | None:
    b.emit(block, "call.helper", helper="bpf_get_prandom_u32")
    callees = [function for function in b.module.functions if function.kind == "subprogram"]
    if not callees:
        return b.emit(block, "call.helper", (), U64, helper="bpf_ktime_get_ns")
    callee = b.pick(st.sampled_from(callees))
    arguments = []
    for parameter in callee.parameters:
        wanted = parameter.value.type
        argument = b.one(available, partial(eq, wanted))
        if argument is None and not is_scalar(wanted):
            return None
        arguments.append(argument or b.constant(block, wanted))
    return b.emit(block, "call", tuple(arguments), callee.result, function=callee.name)


MAKERS: tuple[Maker, ...] = (
    make_constant, make_binary, make_binary, make_choice, make_conversion, make_local_use, make_local_use,
    make_member, make_member, make_element, make_element, make_part, make_atomic, make_memory_access,
    make_context_load, make_context_store, make_view, make_map_call, make_address, make_call,
)  # fmt: skip


@st.composite
def structs(draw: Draw, names: st.SearchStrategy[str]) -> list[Struct]:
    made: list[Struct] = []
    for name in draw(st.lists(names, max_size=3, unique=True)):
        inner = st.one_of(SCALAR_TYPES, *(st.just(struct) for struct in made))
        types = st.one_of(inner, st.builds(Array, inner, st.integers(1, 5)))
        member_names = draw(st.lists(names, min_size=1, max_size=4, unique=True))
        struct = lay_out(name, [(member, draw(types)) for member in member_names], draw(st.booleans()))
        made.append(struct)
    shuffled: list[Struct] = draw(st.permutations(made))
    return shuffled


@st.composite
def maps(draw: Draw, name: str, declared: list[Struct], locations: st.SearchStrategy[Location | None]) -> Map:
    kind = MAPS[draw(st.sampled_from(sorted(MAPS)))]
    types: list[Type] = [U32, U64, I64, Array(U32, 2), *declared]
    keys = [type_ for type_ in types if size_of(type_) in kind.key_sizes]
    values = [type_ for type_ in types if size_of(type_) in kind.value_sizes]
    entries = {"many": 16, "none": 0, "cpus": 0, "bytes": 4096}[kind.entries]
    inner = Map("", "array", U32, draw(st.sampled_from(types)), 4) if kind.entry == MAP else None
    return Map(
        name, kind.kind, draw(st.sampled_from(keys)) if keys else None,
        draw(st.sampled_from(values)) if values else None, entries,
        kind.required | (kind.flags & draw(st.sampled_from([0, 4]))), draw(locations), inner,
    )  # fmt: skip


@st.composite
def variables(draw: Draw, name: str, declared: list[Struct], places: st.SearchStrategy[Any]) -> Global:
    arrays = st.builds(Array, SCALAR_TYPES, st.integers(1, 3))
    type_ = draw(st.one_of(SCALAR_TYPES, arrays, *(st.just(struct) for struct in declared)))
    numbers = tuple(draw(st.integers(0, 1)) for _ in scalars_in(type_)) if draw(st.booleans()) else ()
    return Global(name, type_, draw(st.booleans()), numbers, draw(places))


@st.composite
def functions(draw: Draw, name: str, kind: str, module: Module, names: st.SearchStrategy[str]) -> Function:
    if kind == "subprogram":
        contexts = [Pointer(Opaque(context), Space.CONTEXT) for context in CONTEXTS]
        types = draw(st.lists(SCALAR_TYPES | st.sampled_from(contexts), max_size=5))
        result = draw(SCALAR_TYPES | st.just(VOID))
    else:
        types = [Pointer(Opaque(PROGRAMS[kind].context), Space.CONTEXT)]
        result = I32
    function = Function(name, kind, (), result)
    builder = Builder(draw, module, function)
    parameter_names = draw(st.lists(names, min_size=len(types), max_size=len(types), unique=True))
    function.parameters = tuple(
        Parameter(parameter, Value(next(builder.numbers), type_))
        for parameter, type_ in zip(parameter_names, types, strict=True)
    )
    function.location = builder.location()
    local_types = st.one_of(
        SCALAR_TYPES,
        st.builds(Array, SCALAR_TYPES, st.integers(1, 4)),
        st.builds(Pointer, SCALAR_TYPES, st.sampled_from([Space.PACKET, Space.MAP_VALUE]), st.booleans()),
        *(st.just(struct) for struct in module.structs),
    )
    function.locals = [
        Local(local, draw(local_types)) for local in draw(st.lists(ANY_TEXT, max_size=3, unique=True))
    ]
    labels = draw(st.lists(ANY_TEXT, min_size=1, max_size=5, unique=True))
    function.blocks = [Block(label) for label in labels]
    targets = st.lists(st.integers(1, len(labels) - 1), max_size=3) if len(labels) > 1 else st.just([])
    successors: list[list[int]] = [draw(targets) for _ in labels]
    dominating = graph_dominators(successors)
    values: dict[int, list[Value]] = {}
    order = sorted(range(len(labels)), key=lambda block: len(dominating[block] or ()))
    for index in order:
        block = function.blocks[index]
        available = [parameter.value for parameter in function.parameters]
        for above in dominating[index] or ():
            available += values.get(above, [])
        known = len(available)
        builder.fill(block, available)
        values[index] = available[known:]
        builder.finish(block, available, [labels[after] for after in successors[index]])
    return function


@st.composite
def modules(draw: Draw, names: st.SearchStrategy[str] = IDENTIFIERS) -> Module:
    module = Module(draw(ANY_TEXT), draw(ANY_TEXT), draw(structs(names)))
    declared = draw(st.lists(names, max_size=7, unique=True))
    variables_ = declared[:2]
    declared = declared[2:]
    split = draw(st.integers(0, len(declared)))
    files = st.sampled_from([module.file, "b.py"])
    locations = st.none() | st.builds(Location, files, st.just(3), st.just(1))
    module.maps = [draw(maps(name, module.structs, locations)) for name in declared[:split]]
    module.globals = [
        draw(variables(name, module.structs, locations)) for name in variables_
    ]
    for name in declared[split:]:
        kind = draw(st.sampled_from(["subprogram", *PROGRAMS]))
        module.functions.append(draw(functions(name, kind, module, names)))
    return module

