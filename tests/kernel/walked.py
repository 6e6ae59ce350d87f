"""Hold what `skverdict.codegen.verifier` expects of the kernel's verifier against what kernels say.

    python -m tests.kernel.walked [--kernel 6.1=PATH ...]

Loads every policy of the corpus in a guest of each kernel, and prints a table in Markdown: the programs of which a
kernel goes through another number of instructions than expected. Kernels that are not given are those of Debian's
releases, fetched if need be. Exit status 1 if more than four fifths of what was expected is too little for a kernel,
in a program of a thousand instructions or more: then an error could be about a program that loads.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from skverdict.codegen import read_object
from skverdict.codegen.verifier.walk import walk

from tests.corpus.scenario_file import KERNELS
from tests.interop.debian import DebianError
from tests.interop.toolchain import FETCH, fetched_tree
from tests.kernel import image
from tests.kernel.candidates import candidates
from tests.kernel.cases import Candidate
from tests.kernel.guest import GuestError
from tests.kernel.loading import loaded
from tests.kernel.record import kernel_image

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
        return self.expected >= LONG and self.real < self.expected * 4 / 5


def pairs(kernel: str, tried: list[Candidate], results: list[dict[str, Any]]) -> Iterator[Pair]:
    """One for each program that was accepted."""
    by_object = {result["object"]: result for result in results}
    for candidate in tried:
        object_ = read_object(candidate.content or b"", candidate.file)
        for program in by_object.get(candidate.file, {"programs": []})["programs"]:
            real = program.get("verified_instructions")
            if real:
                expected = walk(object_, object_.programs[program["name"]]).steps
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


def main() -> int:
    summary = __doc__.split("\n", 1)[0]
    parser = argparse.ArgumentParser(prog="python -m tests.kernel.walked", description=summary)
    parser.add_argument("--kernel", action="append", default=[], metavar="NAME=PATH", help="an image to use")
    parser.add_argument("--seconds", type=float, default=900, help="time limit of a guest (default 900)")
    arguments = parser.parse_args()
    given = dict(each.split("=", 1) for each in arguments.kernel)
    tree = fetched_tree()
    if tree is None:
        print(f"walked: no libbpf for the guest in the cache; fetch it with: {FETCH}", file=sys.stderr)
        return 2
    found: list[Pair] = []
    try:
        for name in given or KERNELS:
            path = Path(given[name]) if name in given else kernel_image(name)
            version = image.version(image.release(path))
            tried = [
                each
                for each in candidates(version, False, ["v3"])
                if each.maker == "skverdict" and each.content is not None
            ]
            found += pairs(name, tried, loaded(path, tree, tried, arguments.seconds))
    except (DebianError, image.ImageError, GuestError, OSError) as error:
        print(f"walked: {error}", file=sys.stderr)
        return 2
    for line in table(found):
        print(line)
    excessive = [each for each in found if each.is_too_much]
    for each in excessive:
        print(f"less than expected: {each.policy} {each.program} on {each.kernel}", file=sys.stderr)
    return int(bool(excessive))


if __name__ == "__main__":
    sys.exit(main())
