"""Random conditions on the bytes of a packet, which Python's own bytes decide in the same way."""

from __future__ import annotations

from random import Random

FRAGMENTS = (
    b"GET ", b"POST ", b"HE", b"\r\n", b"A", b"\x00", b"\xff\xfe", b"Host: ", b"ab", b"aab", b"OPTIONS ",
)  # fmt: skip
# Numbers that a body may use: in range for a short packet, and at its end or behind.
OFFSETS = ("n", "m", "n + 2", "m + 1", "n - 1")


class Cut(bytes):
    """A slice that the end of the packet cuts short: it equals nothing."""

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class Data(bytes):
    """A packet as a program sees it: there is no byte behind the end, rather than an error."""

    def __getitem__(self, key: object) -> object:
        if isinstance(key, slice):
            found = bytes(self)[key]
            return Cut(found) if key.stop is not None and key.stop > len(self) else found
        assert isinstance(key, int)
        return bytes(self)[key] if key < len(self) else None


def random_packet(random: Random) -> bytes:
    """Fragments that the conditions look for, whole and cut."""
    content = b"".join(random.choice(FRAGMENTS) for _ in range(random.randint(0, 6)))
    return content[random.choice((0, 0, 0, 1)) : random.choice((1, 3, 4, 5, 8, 30))]


class Conditions:
    """Writes conditions; each holds for the packets of `random_packet` now and then."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def content(self, size: int | None = None) -> bytes:
        count = 8 if size else self.random.randint(1, 3)
        found = b"".join(self.random.choice(FRAGMENTS) for _ in range(count))
        return found[: size or self.random.randint(1, 17)]

    def several(self, size: int | None = None) -> str:
        return repr(tuple(self.content(size) for _ in range(self.random.randint(2, 4))))

    def window(self, size: int) -> str:
        kind = self.random.randrange(4)
        if kind == 0:
            return f"ctx.data[0:{size}]" if self.random.random() < 0.5 else f"ctx.data[:{size}]"
        if kind == 1:
            start = self.random.randint(0, 9)
            return f"ctx.data[{start}:{start + size}]"
        offset = self.random.choice(OFFSETS)
        return f"ctx.data[{offset}:{offset} + {size}]"

    def equal(self, depth: int) -> str:
        size = self.random.randint(1, 12)
        operator = self.random.choice(("==", "==", "!="))
        return f"{self.window(size)} {operator} {self.content(size)!r}"

    def equal_computed(self, depth: int) -> str:
        size = self.random.randint(1, 3)
        start = self.random.choice(("", "0", "1", "n"))
        return f"ctx.data[{start}:m] == {self.content(size)!r}"

    def one_of(self, depth: int) -> str:
        size = self.random.randint(1, 9)
        return f"{self.window(size)} {self.random.choice(('in', 'not in'))} {self.several(size)}"

    def prefix(self, depth: int) -> str:
        source = self.random.choice(("", "[2:]", "[n:]", "[1:18]", "[3:m + 17]"))
        prefix = self.several() if self.random.random() < 0.4 else repr(self.content())
        return f"ctx.data{source}.startswith({prefix})"

    def search(self, depth: int) -> str:
        content = self.random.choice(FRAGMENTS)
        window = self.random.choice(("0:20", "3:12", "0:8", "n:n + 9", "0:m + 8"))
        return f"{content!r} {self.random.choice(('in', 'not in'))} ctx.data[{window}]"

    def byte(self, depth: int) -> str:
        place = f"ctx.data[{self.random.choice(('0', '1', '4', '11', 'n', 'm + 3', 'n + 7'))}]"
        test = self.random.choice((
            "== 71", "!= 69", "is None", "is not None", "in (71, 72, 10)", "in range(65, 80)", "== m",
            "not in (0, 65)",
        ))  # fmt: skip
        return f"{place} {test}"

    def row(self, depth: int) -> str:
        """Tests in a row, for which one check may serve."""
        places = [self.random.randint(0, 6) for _ in range(2)]
        tests = [f"ctx.data[{place}] == {self.random.choice((71, 69, 84))}" for place in places]
        start = self.random.randint(0, 3)
        tests.append(f"ctx.data[{start}:4] == {self.content(4 - start)!r}")
        tests.append(f"ctx.data.startswith({self.content()!r})")
        self.random.shuffle(tests)
        return " and ".join(tests[: self.random.randint(2, 4)])

    def combined(self, depth: int) -> str:
        if not depth:
            return self.byte(0)
        word = self.random.choice(("and", "or"))
        return f"({self.condition(depth - 1)} {word} {self.condition(depth - 1)})"

    def negated(self, depth: int) -> str:
        return f"not ({self.condition(depth - 1)})" if depth else self.equal(0)

    def condition(self, depth: int) -> str:
        rules = (
            self.equal, self.equal, self.one_of, self.prefix, self.search, self.byte, self.row, self.combined,
            self.combined, self.negated, self.equal_computed,
        )  # fmt: skip
        return self.random.choice(rules)(depth)

    def match(self) -> tuple[list[str], list[str]]:
        """A match in the policy language, where a case is a prefix, and its meaning in Python."""
        subject = f"ctx.data{self.random.choice(('', '[0:17]', '[2:19]', '[n:]', '[1:m + 17]'))}"
        lines, python = [f"match {subject}:"], []
        for number in range(self.random.randint(1, 5)):
            contents = tuple(self.content() for _ in range(self.random.choice((1, 1, 2))))
            guard = f" if {self.condition(0)}" if self.random.random() < 0.3 else ""
            lines.append(f"    case {' | '.join(map(repr, contents))}{guard}:")
            lines.append(f"        x = {number + 10}")
            test = f"{subject}.startswith({contents!r}){guard.replace(' if', ' and')}"
            python.append(f"{'elif' if number else 'if'} {test}:")
            python.append(f"    x = {number + 10}")
        if self.random.random() < 0.5:
            guard = f" if {self.condition(0)}" if self.random.random() < 0.3 else ""
            lines += [f"    case _{guard}:", "        x += 50"]
            python += [f"elif {guard[4:] or 'True'}:", "    x += 50"]
        return lines, python


def random_bytes_bodies(seed: int) -> tuple[str, str]:
    """A body of a program, and the same for Python's bytes."""
    conditions = Conditions(Random(seed))
    lines = ["n = min(ctx.len, 9)", "m = min(ctx.hash, 6)", "x = 0"]
    lines += [f"if {conditions.condition(2)}:", "    x = 3"]
    lines += [f"b = {conditions.condition(1)}", "if b:", "    x += 4"]
    match, python = conditions.match()
    last = [f"y = ctx.data[{conditions.random.randint(0, 12)}]"]
    last += ["if y is None:", "    return x", "return x + i32(y)"]
    return "\n".join([*lines, *match, *last]) + "\n", "\n".join([*lines, *python, *last]) + "\n"
