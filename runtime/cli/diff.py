"""`skverdict diff`: what differs between two object files."""

from __future__ import annotations

from skverdict.runtime.cli.failure import DIFFERENT, UsageError
from skverdict.runtime.cli.files import STANDARD, input_name, read_object_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from skverdict.codegen.object import Object

DETAILS = """

First what differs in maps, programs, variables and types, then the instructions that do, as a unified diff
without the source lines. The exit code is 0 if the two are alike, 3 if they differ."""

EXAMPLE = """example:
  skverdict diff before.o after.o"""


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("first", metavar="A.o", help="an object file; - for stdin")
    parser.add_argument("second", metavar="B.o", help="another one; - for stdin")
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def run(options: Namespace) -> int:
    """Read, compare and print."""
    if options.first == options.second == STANDARD:
        raise UsageError("standard input can be one of the objects, not both")
    from skverdict.codegen import read_object
    from skverdict.runtime.inspection import differences, summary

    names = [input_name(path) for path in (options.first, options.second)]
    first, second = (
        read_object(read_object_file(path), name)
        for path, name in zip((options.first, options.second), names, strict=True)
    )
    found = differences(summary(first), summary(second))
    code = _instructions(first, second, names)
    if options.json:
        import json

        differing = [each._asdict() for each in found]
        print(json.dumps({"files": names, "differences": differing, "instructions": code}, indent=2))
    else:
        if found:
            from skverdict.runtime.cli.table import Table, print_tables

            print_tables([Table("Differences", ("what", *names), "lll", found)])
        for line in code:
            print(line)
    return DIFFERENT if found or code else 0


def _instructions(first: Object, second: Object, names: Sequence[str]) -> list[str]:
    """A unified diff of the programs that both have."""
    from difflib import unified_diff

    lines: list[str] = []
    for name in first.programs:
        if name in second.programs:
            one, other = (_listing(each, name) for each in (first, second))
            before, after = (f"{file}:{name}" for file in names)
            lines += unified_diff(one, other, before, after, lineterm="")
    return lines


def _listing(content: Object, name: str) -> list[str]:
    """The instructions of a program, without numbers, so that an insertion moves nothing."""
    from skverdict.codegen.instruction_text import instruction_text

    program = content.programs[name]
    return [instruction_text(program, slot, program.functions) for slot in sorted(program.instructions)]
