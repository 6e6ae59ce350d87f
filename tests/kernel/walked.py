"""Hold what `skverdict.codegen.verifier` expects of the kernel's verifier against what kernels say.

    python -m tests.kernel.walked [--kernel 6.1=PATH ...]

Loads every policy of the corpus in a guest of each kernel, and prints a table in Markdown: the programs of which a
kernel goes through another number of instructions than expected. Kernels that are not given are those of Debian's
releases, fetched if need be. Exit status 1 if a kernel goes through less than two thirds of what was expected,
in a program of a thousand instructions or more: then an error could be about a program that loads.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from skverdict.codegen import read_object
from skverdict.codegen.verifier.walk import walk

from tests.interop.toolchain import Tree
from tests.kernel import command, image
from tests.kernel.candidates import candidates
from tests.kernel.cases import Candidate
from tests.kernel.loading import loaded

# Of shorter programs a few instructions are a large part, and no error comes of them.
LONG = 1000


class Pair(NamedTuple):
    """The instructions that a kernel goes through for a program, and those that were expected."""

    policy: str
    program: str
    kernel: str
    real: int
    expected: int

    @property
    def is_too_much(self) -> bool:
        return self.expected >= LONG and self.real < self.expected * 2 / 3


def pairs(kernel: str, tried: list[Candidate], results: list[dict[str, Any]]) -> Iterator[Pair]:
    """One for each program that was accepted."""
    by_object = {result["object"]: result for result in results}
    for candidate in tried:
        object_ = read_object(candidate.content or b"", candidate.file)
        for program in by_object.get(candidate.file, {"programs": []})["programs"]:
            real = program.get("verified_instructions")
            if real:
                expected = walk(object_, object_.programs[program["name"]], kernel=kernel).steps
                yield Pair(candidate.policy, program["name"], kernel, real, expected)


def table(found: list[Pair]) -> Iterator[str]:
    """Those that differ, the longest first, and the sums of all."""
    yield "| policy | program | kernel | instructions | expected |"
    yield "|---|---|---|--:|--:|"
    for each in sorted(found, key=lambda pair: -pair.real):
        if each.real != each.expected:
            yield f"| {each.policy} | {each.program} | {each.kernel} | {each.real:,} | {each.expected:,} |"
    real, expected = (sum(each[place] for each in found) for place in (3, 4))
    yield f"| sum of {len(found)} | | | {real:,} | {expected:,} |"


def compared(arguments: Namespace, tree: Tree) -> int:
    """Load and tell, as the command's `arguments` have it: the exit status."""
    found: list[Pair] = []
    for name, path in command.images(arguments.kernel):
        tried = [
            each
            for each in candidates(image.version(image.release(path)), False, ["v3"])
            if each.maker == "skverdict" and each.content is not None
        ]
        found += pairs(name, tried, loaded(path, tree, tried, arguments.seconds))
    for line in table(found):
        print(line)
    excessive = [each for each in found if each.is_too_much]
    for each in excessive:
        print(f"less than expected: {each.policy} {each.program} on {each.kernel}", file=sys.stderr)
    return int(bool(excessive))


def main() -> int:
    arguments = command.parser("tests.kernel.walked", __doc__, seconds=900, several=True).parse_args()
    return command.with_guests("walked", partial(compared, arguments))


if __name__ == "__main__":
    sys.exit(main())
