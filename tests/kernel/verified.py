"""Tell how many instructions the verifier goes through for each program, by skverdict and by clang.

    python -m tests.kernel.verified [--cpu v3] [--kernel 6.1=PATH ...]

Loads every policy that has a twin in C in a guest of each kernel, and prints a table in Markdown: for each kernel
the counts of skverdict, clang 19 and clang 22. Kernels that are not given are those of Debian's releases, fetched
if need be. Exit status 1 if a kernel refuses what skverdict built and takes what a clang made of the twin.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.corpus.scenario_file import KERNELS
from tests.interop.debian import DebianError
from tests.interop.toolchain import FETCH, fetched_tree
from tests.interop.twins import CPUS
from tests.kernel import image
from tests.kernel.candidates import twins
from tests.kernel.cases import Candidate
from tests.kernel.guest import GuestError
from tests.kernel.loading import loaded
from tests.kernel.record import kernel_image

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


def main() -> int:
    summary = __doc__.split("\n", 1)[0]
    parser = argparse.ArgumentParser(prog="python -m tests.kernel.verified", description=summary)
    parser.add_argument("--cpu", choices=CPUS, default="v3", help="instruction set (default: %(default)s)")
    parser.add_argument("--kernel", action="append", default=[], metavar="NAME=PATH", help="an image to use")
    parser.add_argument("--seconds", type=float, default=600, help="time limit of a guest (default 600)")
    arguments = parser.parse_args()
    given = dict(each.split("=", 1) for each in arguments.kernel)
    tree = fetched_tree()
    if tree is None:
        print(f"verified: no libbpf for the guest in the cache; fetch it with: {FETCH}", file=sys.stderr)
        return 2
    counts: Counts = {}
    kernels = list(given) or list(KERNELS)
    try:
        for name in kernels:
            path = Path(given[name]) if name in given else kernel_image(name)
            tried = list(twins(image.version(image.release(path)), True, [arguments.cpu]))
            add(counts, name, tried, loaded(path, tree, tried, arguments.seconds))
    except (DebianError, image.ImageError, GuestError, OSError) as error:
        print(f"verified: {error}", file=sys.stderr)
        return 2
    for line in table(counts, kernels):
        print(line)
    for line in worse(counts):
        print(f"refused, while clang's is accepted: {line}", file=sys.stderr)
    return int(bool(worse(counts)))


if __name__ == "__main__":
    sys.exit(main())
