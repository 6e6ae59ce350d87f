"""Random well-typed functions of a policy, over all operators, widths and kinds of statement."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from skverdict.dsl.ir.types import SCALARS, Int

INTEGERS = [type_ for type_ in SCALARS.values() if isinstance(type_, Int)]
NETWORK = {"be16": "u16", "be32": "u32", "be64": "u64"}

# What every batch of functions declares.
PRELUDE = """from skverdict.dsl import *


class Point(Struct):
    a: u8
    b: i16
    c: u32
    d: i64
    e: be16
    words: Array[u16, 4]


class Pair(Struct):
    first: Point
    second: Point
    total: u64
"""
MEMBERS = {"a": "u8", "b": "i16", "c": "u32", "d": "i64"}
PATHS = ("k", "pair.first", "pair.second")


class Written(NamedTuple):
    """A function: its text, the types of its parameters in order, and that of its result."""

    name: str
    text: str
    parameters: tuple[str, ...]
    result: str


def limits(name: str) -> tuple[int, int]:
    type_ = SCALARS[name]
    assert isinstance(type_, Int)
    half = 1 << (type_.bits - 1)
    return (-half, half - 1) if type_.signed else (0, 2 * half - 1)


def common(first: str, second: str) -> str | None:
    """The smallest type that holds all numbers of both."""
    both = (limits(first), limits(second))
    low, high = min(each[0] for each in both), max(each[1] for each in both)
    for type_ in INTEGERS:
        smallest, largest = limits(str(type_))
        if smallest <= low and high <= largest:
            return str(type_)
    return None


class Writer:
    """Writes one function; `types` holds what each variable in scope is, `counters` those of ranges."""

    def __init__(self, random: Random, name: str) -> None:
        self.random = random
        self.name = name
        self.lines: list[str] = []
        self.types: dict[str, str] = {}
        self.network: dict[str, str] = {}
        self.counters: list[str] = []
        self.loops = 0
        self.made = 0
        self.result = ""

    def written(self) -> Written:
        kind = self.random.choice(("inline", "subprogram"))
        parameters = tuple(self.type(network=True) for _ in range(self.random.randint(2, 5)))
        result = self.result = self.type()
        names = [f"p{number}" for number in range(len(parameters))]
        for name, type_ in zip(names, parameters, strict=True):
            if type_ in NETWORK:
                self.network[name] = type_
            else:
                self.types[name] = type_
        self.begin()
        self.block(1, 3)
        self.line(1, f"return {self.expression(result, 3)}")
        arguments = ", ".join(f"{name}: {type_}" for name, type_ in zip(names, parameters, strict=True))
        head = f"@{kind}\ndef {self.name}({arguments}) -> {result}:\n"
        return Written(self.name, head + "".join(f"{line}\n" for line in self.lines), parameters, result)

    def begin(self) -> None:
        """Variables of every kind: typed by their first value, by an annotation, by a literal."""
        self.line(1, "k = Point()")
        self.line(1, "pair = Pair()")
        for number in range(self.random.randint(1, 4)):
            name, type_ = f"v{number}", self.type()
            how = self.random.randrange(3)
            if how == 0:
                self.line(1, f"{name}: {type_} = {self.literal(type_)}")
            elif how == 1:
                self.line(1, f"{name} = {type_}({self.expression(type_, 2)})")
            else:
                type_ = "i64"
                self.line(1, f"{name} = {self.random.choice((0, 1, -1, 100, -(1 << 40)))}")
            self.types[name] = type_
            # Assigned once more, so that it is a variable and no constant.
            self.line(1, f"{name} = {self.expression(type_, 1)}")

    def line(self, indent: int, text: str) -> None:
        self.lines.append("    " * indent + text)

    def type(self, network: bool = False) -> str:
        if network and self.random.random() < 0.1:
            return self.random.choice(list(NETWORK))
        return str(self.random.choice(INTEGERS))

    # Statements.

    def block(self, indent: int, depth: int) -> None:
        for _ in range(self.random.randint(1, 3)):
            self.statement(indent, depth)

    def statement(self, indent: int, depth: int) -> None:
        kinds = [self.assign] * 4 + [self.augment] * 3 + [self.member] * 2 + [self.whole]
        if depth:
            kinds += [self.branch] * 3 + [self.count, self.repeat, self.match]
        if self.loops:
            kinds += [self.leave]
        if indent > 1:
            kinds += [self.answer]
        self.random.choice(kinds)(indent, depth)

    def variable(self) -> str | None:
        names = [name for name in self.types if name.startswith("v")]
        return self.random.choice(names) if names else None

    def assign(self, indent: int, depth: int) -> None:
        name = self.variable()
        if name is not None:
            self.line(indent, f"{name} = {self.expression(self.types[name], 3)}")

    def augment(self, indent: int, depth: int) -> None:
        name = self.variable()
        if name is not None:
            symbol = self.random.choice(("+", "-", "*", "//", "%", "&", "|", "^"))
            value = self.expression(self.types[name], 2)
            if symbol in ("//", "%"):
                value = self.unknown(value, self.types[name])
            self.line(indent, f"{name} {symbol}= {value}")

    def unknown(self, expression: str, type_: str) -> str:
        """Something that nothing knows while compiling: a zero divisor that is known is refused."""
        return f"({expression} ^ {type_}({self.random.choice(PATHS)}.c))"

    def member(self, indent: int, depth: int) -> None:
        path = self.random.choice(PATHS)
        kind = self.random.randrange(4)
        if kind == 0:
            self.line(indent, f"{path}.words[{self.index()}] = {self.expression('u16', 2)}")
        elif kind == 1:
            self.line(indent, f"{path}.e = be16({self.expression('u16', 2)})")
        else:
            name = self.random.choice(list(MEMBERS))
            symbol = self.random.choice(("", "", "+", "-", "^"))
            self.line(indent, f"{path}.{name} {symbol}= {self.expression(MEMBERS[name], 2)}")

    def whole(self, indent: int, depth: int) -> None:
        one, other = self.random.sample(PATHS[1:], 2)
        what = self.random.choice((f"{other}.copy()", "Point()", f"Point(a={self.expression('u8', 1)})"))
        self.line(indent, f"{one} = {what}")

    def branch(self, indent: int, depth: int) -> None:
        self.line(indent, f"if {self.condition(2)}:")
        self.block(indent + 1, depth - 1)
        if self.random.random() < 0.3:
            self.line(indent, f"elif {self.condition(2)}:")
            self.block(indent + 1, depth - 1)
        if self.random.random() < 0.5:
            self.line(indent, "else:")
            self.block(indent + 1, depth - 1)

    def count(self, indent: int, depth: int) -> None:
        name = f"j{self.made}"
        self.made += 1
        ranges = ("range(3)", "range(1, 6, 2)", "range(4, -1, -1)", "range(0)")
        self.line(indent, f"for {name} in {self.random.choice(ranges)}:")
        self.counters.append(name)
        self.loop(indent, depth, name)

    def repeat(self, indent: int, depth: int) -> None:
        name = f"n{self.made}"
        self.made += 1
        self.line(indent, f"{name} = 0")
        self.line(indent, f"while {name} < {self.random.randint(0, 4)} and {self.condition(1)}:")
        self.line(indent + 1, f"{name} += 1")
        self.loop(indent, depth)

    def loop(self, indent: int, depth: int, counter: str = "") -> None:
        self.loops += 1
        self.block(indent + 1, depth - 1)
        self.loops -= 1
        if counter:
            self.counters.remove(counter)
        if self.random.random() < 0.2:
            self.line(indent, "else:")
            self.block(indent + 1, depth - 1)

    def match(self, indent: int, depth: int) -> None:
        self.line(indent, f"match {self.expression('u32', 2)} % 5:")
        self.line(indent + 1, "case 0 | 3:")
        self.block(indent + 2, depth - 1)
        self.line(indent + 1, f"case 1 if {self.condition(1)}:")
        self.block(indent + 2, depth - 1)

    def leave(self, indent: int, depth: int) -> None:
        self.line(indent, f"if {self.condition(1)}:")
        self.line(indent + 1, self.random.choice(("break", "continue")))

    def answer(self, indent: int, depth: int) -> None:
        self.line(indent, f"if {self.condition(1)}:")
        self.line(indent + 1, f"return {self.expression(self.result, 2)}")

    # Expressions.

    def literal(self, type_: str) -> str:
        low, high = limits(type_)
        number = self.random.choice((0, 1, 2, 3, 7, 100, high, high - 1, low, low + 1, self.random.randint(low, high)))
        return str(number) if low <= number <= high else "1"

    def index(self) -> str:
        if self.counters and self.random.random() < 0.3:
            return f"min({self.random.choice(self.counters)}, 3)"
        return self.random.choice(("0", "3", f"{self.expression('u32', 1)} & 3", f"{self.expression('u8', 1)} % 4"))

    def leaf(self, type_: str) -> str:
        names = [name for name, found in self.types.items() if found == type_]
        choices = [f"{path}.{name}" for path in PATHS for name, found in MEMBERS.items() if found == type_]
        if type_ == "u16":
            choices += [f"{path}.words[{self.random.randrange(4)}]" for path in PATHS]
            choices += [f"{path}.e.host()" for path in PATHS]
        choices += [f"{name}.host()" for name, found in self.network.items() if NETWORK[found] == type_]
        if names and self.random.random() < 0.7:
            return self.random.choice(names)
        if choices and self.random.random() < 0.6:
            return self.random.choice(choices)
        if self.types and self.random.random() < 0.5:
            return f"{type_}({self.random.choice(list(self.types))})"
        return f"{type_}({self.literal(type_)})"

    def narrower(self, type_: str) -> str:
        """A type that meets `type_` in `type_`."""
        return self.random.choice([str(each) for each in INTEGERS if common(str(each), type_) == type_])

    def expression(self, type_: str, depth: int) -> str:
        """An expression of that type and no other."""
        if depth == 0:
            return self.leaf(type_)
        rules = (
            self.leaf_again,
            self.arithmetic,
            self.arithmetic,
            self.arithmetic,
            self.beside_literal,
            self.shift,
            self.cast,
            self.choice,
            self.extreme,
            self.unary,
            self.beside_counter,
        )
        return self.random.choice(rules)(type_, depth - 1)

    def leaf_again(self, type_: str, depth: int) -> str:
        return self.leaf(type_)

    def arithmetic(self, type_: str, depth: int) -> str:
        symbol = self.random.choice(("+", "-", "*", "//", "%", "&", "|", "^"))
        sides = [self.expression(type_, depth), self.expression(self.narrower(type_), depth)]
        self.random.shuffle(sides)
        if symbol in ("//", "%"):
            sides[1] = self.unknown(self.expression(type_, depth), type_)
        return f"({sides[0]} {symbol} {sides[1]})"

    def beside_literal(self, type_: str, depth: int) -> str:
        symbol = self.random.choice(("+", "-", "*", "//", "%", "&", "|", "^"))
        literal = self.literal(type_)
        sides = [self.expression(type_, depth), f"({literal})"]
        if symbol in ("//", "%") and literal == "0":
            sides[1] = "3"
        elif self.random.random() < 0.4:
            sides.reverse()
            if symbol in ("//", "%"):
                sides[1] = self.unknown(sides[1], type_)
        if symbol in ("&", "|", "^") and type_[0] == "u" and self.random.random() < 0.3:
            sides[1], sides[0] = "(~3)", self.expression(type_, depth)
        return f"({sides[0]} {symbol} {sides[1]})"

    def shift(self, type_: str, depth: int) -> str:
        symbol = self.random.choice(("<<", ">>"))
        kind = self.random.randrange(3)
        bits = int(type_[1:])
        if kind == 0:
            return f"({self.expression(type_, depth)} {symbol} {self.random.randrange(bits)})"
        if kind == 1 and type_[0] == "u":
            return f"({self.literal(type_)} {symbol} {self.unknown(self.expression(type_, depth), type_)})"
        count = self.random.choice(("u8", "u16", "u32", "u64"))
        return f"({self.expression(type_, depth)} {symbol} {self.unknown(self.expression(count, depth), count)})"

    def cast(self, type_: str, depth: int) -> str:
        if self.random.random() < 0.2:
            return f"{type_}({self.condition(depth)})"
        return f"{type_}({self.expression(self.type(), depth)})"

    def choice(self, type_: str, depth: int) -> str:
        sides = [self.expression(type_, depth)]
        other = self.random.randrange(3)
        if other == 0:
            sides.append(self.literal(type_))
        else:
            sides.append(self.expression(self.narrower(type_) if other == 1 else type_, depth))
        self.random.shuffle(sides)
        return f"({sides[0]} if {self.condition(depth)} else {sides[1]})"

    def extreme(self, type_: str, depth: int) -> str:
        name = self.random.choice(("min", "max"))
        other = self.literal(type_) if self.random.random() < 0.4 else self.expression(self.narrower(type_), depth)
        sides = [self.expression(type_, depth), other]
        self.random.shuffle(sides)
        return f"{name}({sides[0]}, {sides[1]})"

    def unary(self, type_: str, depth: int) -> str:
        inner = self.expression(type_, depth)
        return self.random.choice((f"(-{inner})", f"(~{inner})", f"(+{inner})", f"abs({inner})"))

    def beside_counter(self, type_: str, depth: int) -> str:
        if not self.counters:
            return self.leaf(type_)
        counter = self.random.choice(self.counters)
        number = self.random.choice((counter, f"({counter} * 3 + 1)", f"max({counter}, 2)", f"({counter} << 2)"))
        return f"({self.expression(type_, depth)} {self.random.choice(('+', '-', '*', '^'))} {number})"

    def condition(self, depth: int) -> str:
        kind = self.random.randrange(8) if depth else 0
        symbol = self.random.choice(("<", "<=", ">", ">=", "==", "!="))
        type_ = self.type()
        if kind in (0, 1):
            other = self.literal(type_) if self.random.random() < 0.4 else self.expression(self.narrower(type_), 0)
            return f"{self.leaf(type_)} {symbol} {other}"
        if kind == 2:
            return f"not ({self.condition(depth - 1)})"
        if kind in (3, 4):
            word = self.random.choice(("and", "or"))
            return f"({self.condition(depth - 1)} {word} {self.condition(depth - 1)})"
        if kind == 5:
            middle = self.expression(type_, depth - 1)
            return f"{self.literal(type_)} <= {middle} < {self.expression(type_, depth - 1)}"
        if kind == 6:
            word = self.random.choice(("in", "not in"))
            return f"{self.expression(type_, depth - 1)} {word} (1, 2, {self.literal(type_)})"
        networks = [name for name, found in self.network.items() if found == "be16"]
        one = self.random.choice([*(f"{path}.e" for path in PATHS), *networks])
        return f"{one} {self.random.choice(('==', '!='))} be16({self.expression('u16', depth - 1)})"


def random_function(random: Random, name: str) -> Written:
    """A function of that name."""
    return Writer(random, name).written()
