"""Random programs that look for bytes at computed positions: of the packet, of views of it and of arrays."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from tests.dsl import random_functions
from tests.dsl.random_functions import NETWORK, Writer

# What every batch of programs declares.
PRELUDE = random_functions.PRELUDE + '''

SIZE = 5
TAG = b"\\x01\\x02"


class Kind(IntEnum):
    DATA = 2
    PING = 250


class Header(Struct, packed=True):
    kind: u8
    length: be16
    small: i8
    weight: u32
    far: be32
    signed: i64
    ports: Array[u16, 3]
    text: Array[u8, 20]


class Names(Struct):
    text: Array[u8, 300]


count = Global(u16, 3)


@inline
def at_byte(skb: SkSkb, at: u32, more: u8) -> i32:
    byte = skb.data[at + more]
    return -1 if byte is None else i32(byte)
'''
VIEWED = {"kind": "u8", "small": "i8", "weight": "u32", "signed": "i64"}
# Few values, so that what is looked for is found now and then.
BYTES = b"\x00\x01\x02\x03\x05\x7f\x80\xff"


class Case(NamedTuple):
    """A packet and the fields beside it."""

    packet: bytes
    fields: dict[str, int]


class Positions(Writer):
    """Writes one program; `held` are names of views that are there."""

    def __init__(self, random: Random, name: str) -> None:
        super().__init__(random, name)
        self.result = "i32"
        self.held: list[str] = []

    def program(self) -> str:
        self.line(1, "n = skb.len")
        self.line(1, "h = skb.hash")
        self.line(1, "few = min(skb.len, 40)")
        self.line(1, f"small = u8(skb.hash >> {self.random.choice((0, 8))})")
        self.types |= {"n": "u32", "h": "u32", "few": "u32", "small": "u8"}
        self.line(1, "names = Names()")
        self.line(1, "names.text[7] = 1")
        self.line(1, "total: u32 = 0")
        self.begin()
        self.block(1, 2)
        self.line(1, "return i32(total * 5 + count.value)")
        head = f"@skb_verdict\ndef {self.name}(skb: SkSkb) -> i32:\n"
        return head + "".join(f"{line}\n" for line in self.lines)

    def statement(self, indent: int, depth: int) -> None:
        if self.random.random() < 0.3:
            super().statement(indent, depth)
            return
        kinds = [self.byte, self.byte, self.bytes_equal, self.prefix, self.search, self.array, self.called, self.shared]
        if depth:
            kinds += [self.view, self.view, self.cases, self.scan]
        if self.held:
            kinds += [self.change, self.change]
        self.random.choice(kinds)(indent, depth)

    def found(self, indent: int, number: str) -> None:
        self.line(indent, f"total = total * {self.random.choice((3, 5, 7))} + {number}")

    # Positions.

    def plain(self) -> str:
        """A number without a type, or one that only looks like it."""
        return self.random.choice((
            "0", "1", "2", "3", "4", "7", "44", "255", "256", "300", "SIZE", "len(TAG)", "2 * 4", "(1 + 2)",
            "Kind.DATA", "Kind.PING", "u8(9)", "u16(300)", "u8(Kind.PING)", "few % 4", "ord('a')", "min(2, 3)",
            "~0 + 2", "65500",
        ))  # fmt: skip

    def number(self) -> str:
        """Something computed that is not negative."""
        kind = self.random.randrange(8)
        if kind == 0:
            return f"({self.expression('u8', 1)})"
        if kind == 1:
            return f"({self.expression('u16', 1)} % {self.random.choice((9, 50))})"
        if kind == 2:
            return f"({self.expression('u32', 2)} & {self.random.choice((7, 31))})"
        if kind == 3 and self.counters:
            return self.random.choice(self.counters)
        if kind == 4:
            return f"u32({self.expression('i32', 1)})"
        if kind == 5:
            return f"min({self.expression('u64', 1)}, {self.random.choice((3, 40))})"
        if kind == 6:
            return f"({self.random.choice(('few', 'small'))} if {self.condition(1)} else {self.plain()})"
        return self.random.choice(("n", "h", "few", "small", "n", "few"))

    def position(self, depth: int = 2) -> str:
        """An index: a number, and sums of numbers with others and with constants."""
        kind = self.random.randrange(7)
        if depth == 0 or kind == 0:
            return self.number()
        if kind == 1:
            return self.plain()
        if kind in (2, 3):
            return f"{self.position(depth - 1)} {self.random.choice('++-')} {self.plain()}"
        if kind == 4:
            return f"{self.plain()} + ({self.position(depth - 1)})"
        if kind == 5:
            return f"({self.position(depth - 1)}) + {self.number()}"
        name = f"at{self.made}"
        self.made += 1
        return f"({name} := {self.number()} + {self.plain()}) + {self.plain()}"

    def slice(self, size: int) -> str:
        kind = self.random.randrange(5)
        if kind == 0:
            start = self.random.randrange(8)
            return f"{start}:{start + size}"
        if kind == 1:
            at = self.random.choice(("few", "small", "n", "h", f"few + {self.plain()}", f"{self.plain()} + small"))
            return f"{at}:{at} + {size}"
        if kind == 2:
            return f"{self.random.choice(('', '1', 'few', 'small'))}:{self.position()}"
        if kind == 3:
            return f"{self.position(1)}:{self.position(1)}"
        at = self.number()
        return f"{at} + {self.plain()}:{at} + {self.plain()} + {size}"

    def content(self, size: int) -> bytes:
        return bytes(self.random.choice(BYTES) for _ in range(size))

    # Statements.

    def byte(self, indent: int, depth: int) -> None:
        name = f"b{self.made}"
        self.made += 1
        self.line(indent, f"if ({name} := skb.data[{self.position()}]) is not None:")
        self.types[name] = "u8"
        self.found(indent + 1, self.random.choice((name, f"{name} * 3", f"u8({name} + 1)")))
        if depth:
            self.block(indent + 1, depth - 1)
        del self.types[name]
        if self.random.random() < 0.3:
            self.line(indent, "else:")
            self.found(indent + 1, "1")

    def bytes_equal(self, indent: int, depth: int) -> None:
        size = self.random.randint(1, 4)
        operator = self.random.choice(("==", "!="))
        self.line(indent, f"if skb.data[{self.slice(size)}] {operator} {self.content(size)!r}:")
        self.found(indent + 1, "2")

    def prefix(self, indent: int, depth: int) -> None:
        start = self.random.choice(("", f"[{self.position()}:]"))
        self.line(indent, f"if skb.data{start}.startswith({self.content(self.random.randint(1, 3))!r}):")
        self.found(indent + 1, "3")

    def search(self, indent: int, depth: int) -> None:
        window = self.random.choice(("0:20", "few:few + 9", "small:small + 6", "1:few", f"{self.plain()}:few + 300"))
        self.line(indent, f"if {self.content(1)!r} in skb.data[{window}]:")
        self.found(indent + 1, "4")

    def array(self, indent: int, depth: int) -> None:
        kind = self.random.randrange(5)
        if kind == 0:
            self.line(indent, f"names.text[{self.inside(300)}] = {self.expression('u8', 1)}")
        elif kind == 1:
            self.found(indent, f"names.text[{self.inside(300)}]")
        elif kind == 2:
            self.line(indent, f"names.text[{self.inside(300)}] {self.random.choice('+-^')}= {self.expression('u8', 1)}")
        else:
            size = self.random.randint(1, 3)
            at = self.random.choice(("small", "few", "few % 7", f"{self.number()} % 9"))
            more = self.random.choice((0, 1, 7, 40))
            self.line(indent, f"if names.text[{at} + {more}:{at} + {more + size}] == {self.content(size)!r}:")
            self.found(indent + 1, "5")

    def inside(self, size: int) -> str:
        """An index of an array of `size`."""
        return self.random.choice((
            f"({self.position()}) % {size}", f"({self.position()}) & 15", f"min({self.position()}, 9)", "few + 3",
            "small", "3 + 4", "few - few % 3", "small % 4 + 2", "7 + few",
        ))  # fmt: skip

    def called(self, indent: int, depth: int) -> None:
        at = self.random.choice((self.random.choice(("3", "300", "u32(7)")), f"u32({self.number()})"))
        self.found(indent, f"u32(at_byte(skb, {at}, {self.random.choice(('3', '255', 'small'))}))")

    def shared(self, indent: int, depth: int) -> None:
        if self.random.random() < 0.5:
            self.line(indent, f"count.value {self.random.choice('+-*')}= {self.expression('u16', 1)}")
        else:
            self.found(indent, "count.value")

    def view(self, indent: int, depth: int) -> None:
        name = f"view{self.made}"
        self.made += 1
        kind = self.random.choice(("u8", "u16", "i32", "be16", "be32", "Header", "Header", "Header"))
        at = self.random.choice(("few", "small", "0", "SIZE", f"{self.number()} + 1", f"u32({self.position(1)})"))
        self.line(indent, f"{name} = skb.data.view({kind}, {at})")
        self.line(indent, f"if {name} is not None:")
        if kind == "Header":
            self.held.append(name)
            self.found(indent + 1, f"u32({name}.{self.random.choice([*VIEWED, 'length.host()', 'far.raw()'])})")
            self.block(indent + 1, depth - 1)
            self.held.remove(name)
        elif kind in NETWORK:
            self.found(indent + 1, f"{name}.value.host()")
            self.line(indent + 1, f"{name}.value = {kind}({self.expression(NETWORK[kind], 1)})")
        else:
            self.found(indent + 1, f"u32({name}.value)")
            self.line(indent + 1, f"{name}.value {self.random.choice('+-*')}= {self.expression(kind, 1)}")

    def change(self, indent: int, depth: int) -> None:
        name = self.random.choice(self.held)
        kind = self.random.randrange(6)
        if kind == 0:
            self.line(indent, f"{name}.length = be16({self.expression('u16', 1)})")
        elif kind == 1:
            self.line(indent, f"{name}.ports[{self.inside(3).replace('15', '1').replace('9', '2')}] = 7")
        elif kind == 2:
            at = self.random.choice(("few % 9", "small & 7", "3"))
            self.line(indent, f"if {name}.text[{at} + 4:{at} + 6] == {self.content(2)!r}:")
            self.found(indent + 1, "6")
        elif kind == 3:
            self.line(indent, f"if {name}.far == be32({self.expression('u32', 1)}) or {name}.length != be16(1):")
            self.found(indent + 1, "7")
        else:
            member = self.random.choice(list(VIEWED))
            self.line(indent, f"{name}.{member} {self.random.choice('+-*^')}= {self.expression(VIEWED[member], 1)}")

    def cases(self, indent: int, depth: int) -> None:
        window = self.random.choice(("few:", ":", "small + 2:", "1:9", "h + 4:", "2:few"))
        self.line(indent, f"match skb.data[{window}]:")
        for number in range(self.random.randint(1, 3)):
            name = ""
            if window == "1:9" and self.random.random() < 0.6:
                name = f" as case{self.made} if case{self.made} != {self.content(8)!r}"
                self.made += 1
            self.line(indent + 1, f"case {self.content(self.random.randint(1, 2))!r}{name}:")
            self.found(indent + 2, str(number))

    def scan(self, indent: int, depth: int) -> None:
        name = f"i{self.made}"
        self.made += 1
        numbers = self.random.choice((
            "range(4)", "range(few)", "range(2, few % 5)", "range(min(n, 6), 0, -2)", "(1, 2, 300)", "range(3, 9, 4)",
        ))  # fmt: skip
        self.line(indent, f"for {name} in {numbers}:")
        self.counters.append(name)
        self.line(indent + 1, f"if (c{name} := skb.data[{self.position()}]) is None:")
        self.line(indent + 2, self.random.choice(("break", "continue")))
        self.found(indent + 1, self.random.choice((f"c{name}", f"u32({name})", f"(c{name} ^ 1)")))
        self.counters.remove(name)


def random_program(random: Random, name: str) -> str:
    """A program of that name."""
    return Positions(random, name).program()


def random_case(random: Random) -> Case:
    """A packet of few different bytes, most of them short, and fields at the edges of what they can be."""
    size = random.choice((0, 1, 3, random.randrange(20), random.randrange(80), random.randrange(400), 70_000))
    packet = bytes(random.choices(BYTES, k=min(size, 400))) + bytes(max(0, size - 400))
    far = (1 << 32) - 1
    edges = (0, 1, 5, 40, 200, 250, 255, 256, far, far - 4, far - 300)
    numbers = (*edges, random.randrange(1 << 32), random.randrange(300))
    # The kernel holds no longer packets than an int counts.
    length = random.choice((size, (1 << 31) - 1, *(number for number in numbers if not number >> 31)))
    return Case(packet, {"len": length, "hash": random.choice(numbers)})


