"""From the text of C declarations to types with their layout, and constants, for one byte order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from skverdict.dsl.c.errors import CError
from skverdict.dsl.c.model import MOST_BYTES, CArray, CType, Layout, Record, size_of
from skverdict.dsl.c.numbers import Evaluator, Number, place_of
from skverdict.dsl.c.source import Macro, read_source
from skverdict.dsl.ir import types as ir
from skverdict.dsl.layout import RESERVED_MEMBERS
from skverdict.dsl.scalars import BigEndian

Node = Tree[Token]

POINTER = ir.U64
FLEXIBLE = 0

# Types that headers take for granted.
_NAMED: dict[str, CType] = {
    **{f"__u{bits}": ir.Int(bits, signed=False) for bits in (8, 16, 32, 64)},
    **{f"__s{bits}": ir.Int(bits, signed=True) for bits in (8, 16, 32, 64)},
    **{f"u{bits}": ir.Int(bits, signed=False) for bits in (8, 16, 32, 64)},
    **{f"s{bits}": ir.Int(bits, signed=True) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}_t": ir.Int(bits, signed=False) for bits in (8, 16, 32, 64)},
    **{f"int{bits}_t": ir.Int(bits, signed=True) for bits in (8, 16, 32, 64)},
    **{f"__be{bits}": ir.BigEndian(bits) for bits in (16, 32, 64)},
    "__sum16": ir.U16,
    "__wsum": ir.U32,
    "size_t": ir.U64,
    "ssize_t": ir.I64,
    "__kernel_sa_family_t": ir.U16,
    "sa_family_t": ir.U16,
}
# The words of an integer type, sorted, without `int` and `signed` where they change nothing.
_WORDS: dict[tuple[str, ...], CType] = {
    # A character is a byte, so that names can be compared with byte strings.
    ("char",): ir.U8,
    ("char", "signed"): ir.I8,
    ("char", "unsigned"): ir.U8,
    ("short",): ir.I16,
    ("short", "unsigned"): ir.U16,
    (): ir.I32,
    ("unsigned",): ir.U32,
    ("long",): ir.I64,
    ("long", "unsigned"): ir.U64,
    ("long", "long"): ir.I64,
    ("long", "long", "unsigned"): ir.U64,
    ("_Bool",): ir.BOOL,
    ("bool",): ir.BOOL,
}
# Attributes that do not touch the layout.
_HARMLESS = {"preserve_access_index", "unused", "deprecated", "may_alias", "designated_init", "btf_decl_tag"}


class Enum(NamedTuple):
    """An enumeration: its type and its constants."""

    type: ir.Int
    values: dict[str, int]


class Declarations(NamedTuple):
    """All that a text declares. Names of one kind may be those of another."""

    records: dict[str, Record]
    enums: dict[str, Enum]
    typedefs: dict[str, CType]
    constants: dict[str, int | BigEndian]
    # Macros that are no integer constants, with the reason.
    others: dict[str, str]
    # Line and column of each record.
    places: dict[str, tuple[int, int]]


@cache
def _parser() -> Lark:
    grammar = Path(__file__).with_name("c.lark").read_text(encoding="utf-8")
    return Lark(grammar, start=["unit", "expression"], parser="lalr", propagate_positions=True)


def _parse(text: str, start: str, line: int = 1, column: int = 1) -> Node:
    """A tree whose places count from `line` and `column`. Raises CError."""
    # Blank lines and columns in front, so that lark counts as wanted.
    padded = "\n" * (line - 1) + " " * (column - 1) + text
    try:
        tree: Node = _parser().parse(padded, start=start)
    except UnexpectedToken as error:
        raise _unexpected(error, error.token, text) from None
    except UnexpectedCharacters as error:
        raise CError(f"`{error.char}` is not expected here", error.line, error.column) from None
    except UnexpectedInput as error:
        raise CError("the text ends too early", max(1, error.line), max(1, error.column)) from None
    return tree


def _unexpected(error: UnexpectedToken, token: Token, text: str) -> CError:
    line, column = int(error.line or 1), int(error.column or 1)
    if token.type == "$END":
        lines = text.rstrip().split("\n")
        return CError("the text ends too early", len(lines), len(lines[-1]) + 1, "is a `}` or `;` missing?")
    lines = text.split("\n")
    before = "\n".join([*lines[: line - 1], lines[line - 1][: column - 1]] if line <= len(lines) else lines)
    hint = ""
    if before.count("{") == before.count("}"):
        hint = "only structures, unions, enumerations, typedefs and #define are read"
    elif str(token) == "}" or token.type in ("NAME", "WORD", "KIND"):
        hint = "is a `;` missing?"
    return CError(f"`{token}` is not expected here", line, column, hint)


def read_declarations(text: str, order: str, core: bool = False) -> Declarations:
    """What a text declares for machines of byte order `order`; `core`: of the running kernel. Raises CError."""
    return _Reader(text, order, core).read()


class _Reader:
    def __init__(self, text: str, order: str, core: bool) -> None:
        self.core = core
        self.records: dict[str, Record] = {}
        self.enums: dict[str, Enum] = {}
        self.typedefs: dict[str, CType] = {}
        self.places: dict[str, tuple[int, int]] = {}
        self.enumerators: dict[str, int | BigEndian] = {}
        self._busy: list[str] = []
        self._outer = ""
        self._macros: dict[str, Macro] = {}
        self._evaluator = Evaluator(self._constant, self._size)
        source = read_source(text, order, self._condition)
        self._macros = source.macros
        self._tree = _parse(source.text, "unit")

    def read(self) -> Declarations:
        for node in self._tree.children:
            if isinstance(node, Tree):
                self._declaration(node)
        constants, others = dict(self.enumerators), {}
        for name, macro in self._macros.items():
            if not macro.body and not macro.is_function:
                continue
            try:
                found = self._of_macro(macro)
            except CError as error:
                others[name] = error.message
            else:
                constants[name] = found.value if isinstance(found, Number) else found
        return Declarations(self.records, self.enums, self.typedefs, constants, others, self.places)

    # Constants.

    def _condition(self, text: str, line: int, column: int, macros: dict[str, Macro]) -> int:
        """The condition of an `#if`: names that are no macros count as 0."""
        self._macros = macros
        evaluator = Evaluator(self._macro_or_zero, self._size)
        return evaluator.number(_parse(text, "expression", line, column)).value

    def _macro_or_zero(self, name: Token) -> Number | BigEndian:
        return self._of_macro(self._macros[name]) if name in self._macros else Number(0)

    def _constant(self, name: Token) -> Number | BigEndian:
        if name in self._macros:
            return self._of_macro(self._macros[name])
        if name not in self.enumerators:
            raise CError(f"the constant `{name}` is not known", *place_of(name), "paste its definition, too")
        found = self.enumerators[name]
        return Number(found) if isinstance(found, int) else found

    def _of_macro(self, macro: Macro) -> Number | BigEndian:
        """Raises CError for a macro that is no constant."""
        if macro.is_function:
            raise CError(f"`{macro.name}` is a macro with arguments", macro.line, macro.column)
        if macro.name in self._busy:
            raise CError(f"`{macro.name}` stands for itself", macro.line, macro.column)
        self._busy.append(macro.name)
        try:
            return self._evaluator.constant(_parse(macro.body, "expression", macro.line, macro.column))
        finally:
            self._busy.pop()

    def _integer(self, node: Node) -> int:
        return self._evaluator.number(node).value

    # Declarations.

    def _declaration(self, node: Node) -> None:
        if node.data == "plain":
            self._specified(_child(node, 0), None)
            return
        specifiers, *declarators = node.children
        assert isinstance(specifiers, Tree)
        type_: CType | None = None
        for number, declarator in enumerate(declarators):
            assert isinstance(declarator, Tree)
            name = _name_of(declarator)
            if number == 0 or type_ is None:
                type_ = self._specified(specifiers, str(name))
            self.typedefs[str(name)] = self._declared(declarator, type_)

    def _specified(self, node: Node, name: str | None) -> CType | None:
        """The type that specifiers name; None for one that was only announced. `name` is for one without."""
        kind = next(child for child in node.children if isinstance(child, Tree))
        if kind.data == "words":
            return self._words(kind)
        if kind.data == "named":
            return self._named(kind)
        if kind.data == "record":
            return self._record(kind, name)
        if kind.data == "enum":
            return self._enum(kind, name)
        tag = str(kind.children[-1])
        if kind.data == "tagged_enum":
            if tag not in self.enums:
                raise _unknown(kind, f"enum {tag}")
            return self.enums[tag].type
        return self.records.get(tag)

    def _words(self, node: Node) -> CType:
        words = sorted(str(word) for word in node.children)
        if "float" in words or "double" in words:
            raise CError("a program has no floating-point numbers", *place_of(node))
        if words == ["void"]:
            # Only behind a pointer, which does not look at it.
            return ir.U8
        useful = [word for word in words if word != "int" and not (word == "signed" and "char" not in words)]
        found = _WORDS.get(tuple(useful))
        if found is None or words.count("int") > 1:
            raise CError(f"`{' '.join(str(word) for word in node.children)}` is no type", *place_of(node))
        return found

    def _named(self, node: Node) -> CType:
        name = str(node.children[0])
        if name in self.typedefs:
            return self.typedefs[name]
        if name.startswith("__le"):
            raise CError(
                f"`{name}` is little-endian on every machine, which the language does not have",
                *place_of(node), f"write `__u{name[4:]}` if the machine is little-endian",
            )  # fmt: skip
        if name not in _NAMED:
            raise _unknown(node, name)
        return _NAMED[name]

    def _record(self, node: Node, name: str | None) -> Record:
        kind = str(node.children[0])
        tag = next((str(child) for child in node.children[1:] if isinstance(child, Token)), None)
        attributes = [child for child in _trees(node) if child.data in ("attribute", "short_attribute")]
        packed, aligned = self._attributes(attributes)
        shown = tag or name or ""
        # Types without a name of their own are called after what they lie in.
        outer, self._outer = self._outer, shown or self._outer
        layout = Layout(kind, packed)
        members = [child for child in _trees(node) if child.data in ("members", "kernel_pointer", "group")]
        names: set[str] = set()
        for member in members:
            self._member(layout, member, names, member is members[-1])
        self._outer = outer
        record = self._finished(layout, shown, aligned, node)
        if tag is not None:
            if tag in self.records:
                raise CError(f"`{kind} {tag}` is defined twice", *place_of(node))
            self.records[tag] = record
            self.places[tag] = place_of(node)
        return record

    def _finished(self, layout: Layout, name: str, aligned: int, node: Node) -> Record:
        """What the members are together. Raises CError."""
        record = layout.finish(name, aligned)._replace(of_kernel=self.core)
        if record.size > MOST_BYTES:
            raise CError(f"this has {record.size} bytes, more than {MOST_BYTES}, the most there are", *place_of(node))
        return record

    def _attributes(self, nodes: list[Node]) -> tuple[bool, int]:
        """Whether something is packed, and the alignment that is asked for."""
        packed, aligned = False, 1
        for node in nodes:
            properties = _trees(node) if node.data == "attribute" else [node]
            for one in properties:
                name = str(one.children[0]).strip("_")
                values = [child for child in one.children[1:] if isinstance(child, Tree)]
                if name == "packed":
                    packed = True
                elif name == "aligned":
                    asked = self._integer(values[0]) if values else 8
                    if asked < 1 or asked & (asked - 1):
                        raise CError(f"{asked} is no alignment", *place_of(one))
                    aligned = max(aligned, asked)
                elif name not in _HARMLESS:
                    raise CError(f"the attribute `{name}` is not supported", *place_of(one))
        return packed, aligned

    def _member(self, layout: Layout, node: Node, names: set[str], is_last: bool) -> None:
        if node.data == "kernel_pointer":
            name = node.children[-1]
            assert isinstance(name, Token)
            layout.add(self._free(name, names), POINTER, aligned=8)
            return
        if node.data == "group":
            self._group(layout, node, names)
            return
        specifiers, *declarators = node.children
        assert isinstance(specifiers, Tree)
        declared = [one for one in declarators if isinstance(one, Tree)]
        first = _name_of(_child(declared[0], 0)) if declared and declared[0].data == "named_member" else None
        type_ = self._specified(specifiers, f"{self._outer}_{first}" if first else None)
        if not declared:
            if isinstance(type_, Record) and type_.name == "":
                self._all_once(type_, names, node)
                layout.add(None, type_)
            return
        pointer = self._pointer(specifiers)
        for one in declared:
            self._declared_member(layout, one, type_, pointer, names, is_last)

    def _group(self, layout: Layout, node: Node, names: set[str]) -> None:
        """`__struct_group`: the members, reachable one by one and together under a name."""
        tag, name, *rest = node.children
        assert isinstance(name, Token)
        nodes = [one for one in rest if isinstance(one, Tree)]
        packed, aligned = self._attributes([one for one in nodes if one.data.endswith("attribute")])
        inner = Layout("struct", packed)
        inner_names: set[str] = set()
        shown = str(tag) if tag else f"{self._outer}_{name}"
        members = [one for one in nodes if not one.data.endswith("attribute")]
        for member in members:
            self._member(inner, member, inner_names, is_last=False)
        record = self._finished(inner, shown, aligned, node)
        if tag:
            self.records[str(tag)] = record
            self.places[str(tag)] = place_of(node)
        both = Layout("union", packed=False)
        self._all_once(record, names, node)
        both.add(None, record)
        both.add(self._free(name, names), record)
        layout.add(None, both.finish(""))

    def _pointer(self, specifiers: Node) -> CType:
        """The type of a pointer to what specifiers name: to a structure of the kernel, or else a number."""
        kind = next(child for child in specifiers.children if isinstance(child, Tree))
        if not self.core or kind.data not in ("record", "tagged") or kind.children[0] == "union":
            return POINTER
        tag = next((str(child) for child in kind.children[1:] if isinstance(child, Token)), "")
        return ir.Pointer(ir.Opaque(tag), ir.Space.OBJECT, nullable=True) if tag else POINTER

    def _declared_member(
        self,
        layout: Layout,
        node: Node,
        type_: CType | None,
        pointer: CType,
        names: set[str],
        is_last: bool,
    ) -> None:
        if node.data == "gap":
            layout.add_bits(None, _bit_type(node, type_), self._width(node, type_))
            return
        declarator = _child(node, 0)
        name = _name_of(declarator)
        attributes = [one for one in _trees(declarator) if one.data in ("attribute", "short_attribute")]
        packed, aligned = self._attributes(attributes)
        declared = self._declared(declarator, type_, pointer)
        if node.children[-1] is not None and len(node.children) > 1:
            integer = _bit_type(declarator, declared)
            width = self._width(node, integer)
            layout.add_bits(self._free(name, names), integer, width, packed, place_of(name))
            return
        if isinstance(declared, CArray) and declared.length == FLEXIBLE and is_last:
            # What lies behind the structure is no part of it.
            return
        _refuse_flexible(declarator, declared)
        layout.add(self._free(name, names), declared, aligned, packed)

    def _width(self, node: Node, type_: CType | None) -> int:
        expression = node.children[-1]
        assert isinstance(expression, Tree)
        width = self._integer(expression)
        most = _bit_type(node, type_).bits
        named = node.data == "named_member"
        if not (1 if named else 0) <= width <= most:
            raise CError(f"a bit-field of this type has {int(named)} to {most} bits", *place_of(expression))
        return width

    def _declared(self, node: Node, type_: CType | None, pointer: CType = POINTER) -> CType:
        """The type of a declarator: pointers and arrays of what the specifiers say, to which one is `pointer`."""
        pointers = [child for child in node.children if isinstance(child, Token) and child.type == "POINTER"]
        arrays = [child for child in _trees(node) if child.data == "array"]
        found: CType
        if pointers:
            found = pointer if len(pointers) == 1 and not arrays else POINTER
        elif type_ is None:
            raise CError("the size of this type is not known", *place_of(node), "paste its definition, too")
        else:
            found = type_
        for array in reversed(arrays):
            length = FLEXIBLE
            if array.children and isinstance(array.children[0], Tree):
                length = self._integer(array.children[0])
                if not 0 <= length < 1 << 32:
                    raise CError(f"an array cannot have {length} elements", *place_of(array))
            found = CArray(found, length)
        return found

    def _free(self, name: Token, names: set[str]) -> str:
        """A member's name, which must be new."""
        self._once(str(name), names, name)
        return str(name)

    def _all_once(self, record: Record, names: set[str], node: Node) -> None:
        for name in (*(one.name for one in record.fields), *(one.name for one in record.bits)):
            self._once(name, names, node)

    def _once(self, name: str, names: set[str], node: Node | Token) -> None:
        if name in names:
            raise CError(f"the member `{name}` is there twice", *place_of(node))
        if name in RESERVED_MEMBERS:
            raise CError(f"a member cannot be called `{name}`", *place_of(node), "rename it")
        names.add(name)

    def _enum(self, node: Node, name: str | None) -> ir.Int:
        tag = next((str(child) for child in node.children if isinstance(child, Token)), None)
        attributes = [child for child in _trees(node) if child.data in ("attribute", "short_attribute")]
        packed, _ = self._attributes(attributes)
        values: dict[str, int] = {}
        following = 0
        for one in _trees(node):
            if one.data != "enumerator":
                continue
            key, given = one.children[0], one.children[1] if len(one.children) > 1 else None
            if str(key) in self.enumerators:
                raise CError(f"the constant `{key}` is there twice", *place_of(one))
            found = self._evaluator.constant(given) if isinstance(given, Tree) else Number(following)
            if not isinstance(found, Number):
                self.enumerators[str(key)] = found
                continue
            values[str(key)] = self.enumerators[str(key)] = found.value
            following = found.value + 1
        type_ = _enum_type(values, packed)
        if tag or name:
            self.enums[str(tag or name)] = Enum(type_, values)
        return type_

    def _size(self, node: Node) -> int:
        """`sizeof(type)`."""
        specifiers = _child(node, 0)
        if any(isinstance(child, Token) and child.type == "POINTER" for child in node.children):
            return 8
        found = self._specified(specifiers, None)
        if found is None:
            raise CError("the size of this type is not known", *place_of(node), "paste its definition, too")
        return size_of(found)


def _enum_type(values: dict[str, int], packed: bool) -> ir.Int:
    """The integer that C keeps an enumeration in: 32 bits, or what its values need."""
    low, high = min(values.values(), default=0), max(values.values(), default=0)
    for bits in (8, 16, 32, 64) if packed else (32, 64):
        for signed in (False, True):
            smallest, largest = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
            if smallest <= low and high <= largest:
                return ir.Int(bits, signed)
    return ir.I64


def _bit_type(node: Node, type_: CType | None) -> ir.Int:
    """The integer type of a bit-field. Raises CError for any other."""
    if isinstance(type_, ir.Bool):
        return ir.U8
    if not isinstance(type_, ir.Int):
        what = "in network order" if isinstance(type_, ir.BigEndian) else "no integer"
        raise CError(f"a bit-field must be an integer, and this is {what}", *place_of(node))
    return type_


def _refuse_flexible(node: Node, type_: CType) -> None:
    while isinstance(type_, CArray):
        if type_.length == FLEXIBLE:
            raise CError("an array without a length is only supported at the end", *place_of(node))
        type_ = type_.element


def _unknown(node: Node, name: str) -> CError:
    return CError(f"the type `{name}` is not known", *place_of(node), "paste its definition, too")


def _trees(node: Node) -> Iterator[Node]:
    return (child for child in node.children if isinstance(child, Tree))


def _child(node: Node, index: int) -> Node:
    child = node.children[index]
    assert isinstance(child, Tree)
    return child


def _name_of(node: Node) -> Token:
    """The name that a declarator declares."""
    return next(child for child in node.children if isinstance(child, Token) and child.type == "NAME")
