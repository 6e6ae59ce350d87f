"""Random bodies of programs whose numbers never leave their type, so that Python itself says what they do."""

from __future__ import annotations

from random import Random

VARIABLES = ("a", "b", "c", "d")
# Values stay below this; three of them multiplied, and some added, stay far below 64 bits.
BOUND = 1009


class Writer:
    """Writes one body. `helpers` are inline functions that it may call."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.lines: list[str] = []
        self.loops = 0
        self.counters = 0

    def body(self) -> str:
        for name in VARIABLES:
            source = self.random.choice(("i64(ctx.len)", "i64(ctx.hash) % 50", "0", "3", "-2"))
            self.lines.append(f"{name} = {source}")
        self.block(0, 3)
        self.lines.append("return i32((a * 7 + b * 5 + c * 3 + d) % 100003)")
        return "\n".join(self.lines) + "\n"

    def block(self, indent: int, depth: int) -> None:
        for _ in range(self.random.randint(1, 3)):
            self.statement(indent, depth)

    def line(self, indent: int, text: str) -> None:
        self.lines.append("    " * indent + text)

    def statement(self, indent: int, depth: int) -> None:
        kinds = [self.assign] * 4 + [self.augment] * 2
        if depth:
            kinds += [self.branch, self.branch, self.count, self.repeat, self.match, self.walrus]
        if self.loops:
            kinds += [self.leave]
        if indent:
            kinds += [self.answer]
        self.random.choice(kinds)(indent, depth)

    def assign(self, indent: int, depth: int) -> None:
        less = self.random.randint(0, 9)
        self.line(indent, f"{self.variable()} = ({self.expression(3)}) % {BOUND} - {less}")

    def augment(self, indent: int, depth: int) -> None:
        operator = self.random.choice(("+=", "-=", "|=", "^=", "&="))
        name = self.variable()
        self.line(indent, f"{name} {operator} {self.expression(1)}")
        self.line(indent, f"{name} %= {BOUND}")

    def branch(self, indent: int, depth: int) -> None:
        self.line(indent, f"if {self.condition(2)}:")
        self.block(indent + 1, depth - 1)
        if self.random.random() < 0.4:
            self.line(indent, f"elif {self.condition(1)}:")
            self.block(indent + 1, depth - 1)
        if self.random.random() < 0.5:
            self.line(indent, "else:")
            self.block(indent + 1, depth - 1)

    def count(self, indent: int, depth: int) -> None:
        ranges = ("range(3)", "range(1, 6, 2)", "range(4, -1, -1)", "range(min(ctx.len, 3))", "range(0)")
        self.counters += 1
        name = f"i{self.counters}"
        self.line(indent, f"for {name} in {self.random.choice(ranges)}:")
        self.line(indent + 1, f"{self.variable()} += {name}")
        self.loop(indent, depth)

    def repeat(self, indent: int, depth: int) -> None:
        self.counters += 1
        name = f"n{self.counters}"
        self.line(indent, f"{name} = 0")
        self.line(indent, f"while {name} < {self.random.randint(0, 4)} and {self.condition(1)}:")
        self.line(indent + 1, f"{name} += 1")
        self.loop(indent, depth)

    def loop(self, indent: int, depth: int) -> None:
        self.loops += 1
        self.block(indent + 1, depth - 1)
        self.loops -= 1
        if self.random.random() < 0.3:
            self.line(indent, "else:")
            self.block(indent + 1, depth - 1)

    def match(self, indent: int, depth: int) -> None:
        self.line(indent, f"match {self.variable()} % 5:")
        self.line(indent + 1, "case 0 | 3:")
        self.block(indent + 2, depth - 1)
        self.line(indent + 1, f"case 1 if {self.condition(1)}:")
        self.block(indent + 2, depth - 1)
        if self.random.random() < 0.5:
            self.line(indent + 1, "case _:")
            self.block(indent + 2, depth - 1)

    def walrus(self, indent: int, depth: int) -> None:
        name = self.variable()
        self.line(indent, f"if ({name} := ({self.expression(1)}) % {BOUND}) > {self.random.randint(0, 99)}:")
        self.block(indent + 1, depth - 1)

    def leave(self, indent: int, depth: int) -> None:
        self.line(indent, f"if {self.condition(1)}:")
        self.line(indent + 1, self.random.choice(("break", "continue")))

    def answer(self, indent: int, depth: int) -> None:
        self.line(indent, f"if {self.condition(1)}:")
        self.line(indent + 1, f"return i32(({self.expression(1)}) % 77)")

    def variable(self) -> str:
        return self.random.choice(VARIABLES)

    def expression(self, depth: int) -> str:
        kind = self.random.randrange(8) if depth else self.random.randrange(2)
        if kind == 0:
            return str(self.random.randint(-20, 20))
        if kind in (1, 2):
            return self.variable()
        left, right = self.expression(depth - 1), self.expression(depth - 1)
        if kind == 3:
            return f"({left} if {self.condition(depth - 1)} else {right})"
        if kind == 4:
            return f"{self.random.choice(('min', 'max'))}({left}, {self.variable()})"
        if kind == 5:
            return f"(({left}) {self.random.choice(('//', '%'))} {self.random.choice((1, 2, 3, 7, 10))})"
        if kind == 6:
            return f"abs({left} - {self.variable()})"
        # Only sums below a product, so that no value grows beyond what fits.
        operator = self.random.choice(("+", "-", "&", "|", "^"))
        return f"({left} {operator} {right})"

    def condition(self, depth: int) -> str:
        kind = self.random.randrange(7) if depth else 0
        if kind in (0, 1):
            operator = self.random.choice(("<", "<=", ">", ">=", "==", "!="))
            return f"{self.variable()} {operator} {self.random.choice((self.variable(), '3', '0', '40'))}"
        if kind == 2:
            return f"not ({self.condition(depth - 1)})"
        if kind in (3, 4):
            word = self.random.choice(("and", "or"))
            return f"({self.condition(depth - 1)} {word} {self.condition(depth - 1)})"
        if kind == 5:
            return f"0 <= {self.variable()} < {self.random.choice(('40', self.variable()))}"
        word = self.random.choice(("in", "not in"))
        return f"{self.variable()} {word} (1, 2, {self.random.randint(3, 50)})"


def random_body(seed: int) -> str:
    """The body of number `seed`."""
    return Writer(Random(seed)).body()
