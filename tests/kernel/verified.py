"""Tell how many instructions the verifier goes through for each program, by skverdict and by clang.

    python -m tests.kernel.verified [--cpu v3] [--kernel 6.1=PATH ...]

Loads every policy that has a twin in C in a guest of each kernel, and prints a table in Markdown: for each kernel
the counts of skverdict, clang 19 and clang 22. Kernels that are not given are those of Debian's releases, fetched
if need be. Exit status 1 if a kernel refuses what skverdict built and takes what a clang made of the twin.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from tests.interop.toolchain import Tree
from tests.interop.twins import CPUS
from tests.kernel import command, image
from tests.kernel.candidates import twins
from tests.kernel.cases import Candidate
from tests.kernel.loading import loaded

MAKERS = ("skverdict", "clang-19", "clang-22")
#: What stands for a program that a kernel refused.
REFUSED = "refused"


class Column(NamedTuple):
    """Whose programs, in which kernel."""

    kernel: str
    maker: str


#: Counts by policy and program, and column; None where the kernel refused the program.
Counts = dict[tuple[str, str], dict[Column, int | None]]


def add(counts: Counts, kernel: str, tried: list[Candidate], results: list[dict[str, Any]]) -> None:
    """Take over what a kernel reported."""
    by_object = {result["object"]: result for result in results}
    for candidate in tried:
        for program in by_object.get(candidate.file, {"programs": []})["programs"]:
            row = counts.setdefault((candidate.policy, program["name"]), {})
            row[Column(kernel, candidate.maker)] = program.get("verified_instructions")


def table(counts: Counts, kernels: list[str]) -> Iterator[str]:
    """The counts in Markdown, with their sums over the programs that everybody's object has."""
    columns = [Column(kernel, maker) for kernel in kernels for maker in MAKERS]
    yield "| policy | program | " + " | ".join(f"{each.kernel} {each.maker}" for each in columns) + " |"
    yield "|---|---|" + "--:|" * len(columns)
    for (policy, program), row in counts.items():
        yield f"| {policy} | {program} | " + " | ".join(_cell(row, each) for each in columns) + " |"
    whole = [row for row in counts.values() if all(row.get(each) is not None for each in columns)]
    sums = [sum(row[each] or 0 for row in whole) for each in columns]
    yield f"| sum of {len(whole)} | | " + " | ".join(f"{each:,}" for each in sums) + " |"


def _cell(row: Mapping[Column, int | None], column: Column) -> str:
    if column not in row:
        return "-"
    count = row[column]
    return REFUSED if count is None else f"{count:,}"


def worse(counts: Counts) -> list[str]:
    """Programs that a kernel refuses by skverdict and takes by a clang."""
    return [
        f"{policy} {program} on {column.kernel}"
        for (policy, program), row in counts.items()
        for column, count in row.items()
        if column.maker == MAKERS[0] and count is None
        and any(row.get(Column(column.kernel, other)) is not None for other in MAKERS[1:])
    ]  # fmt: skip


def counted(arguments: Namespace, tree: Tree) -> int:
    """Load and tell, as the command's `arguments` have it: the exit status."""
    counts: Counts = {}
    kernels = dict(command.images(arguments.kernel))
    for name, path in kernels.items():
        tried = list(twins(image.version(image.release(path)), True, [arguments.cpu]))
        add(counts, name, tried, loaded(path, tree, tried, arguments.seconds))
    for line in table(counts, list(kernels)):
        print(line)
    for line in worse(counts):
        print(f"refused, while clang's is accepted: {line}", file=sys.stderr)
    return int(bool(worse(counts)))


def main() -> int:
    parser = command.parser("tests.kernel.verified", __doc__, seconds=600, several=True)
    parser.add_argument("--cpu", choices=CPUS, default="v3", help="instruction set (default: %(default)s)")
    return command.with_guests("verified", partial(counted, parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
