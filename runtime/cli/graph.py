"""`skverdict graph`: the control flow of programs, with the source lines of each block."""

from __future__ import annotations

from skverdict.runtime.cli.failure import UsageError
from skverdict.runtime.cli.run import load_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from skverdict.codegen.object import Program

DETAILS = """

Blocks stand in the order of their instructions, each with its slots, its source lines, and the blocks that can
follow. `skverdict run --report` draws the same with how often each line ran."""

EXAMPLE = """examples:
  skverdict graph examples/port_redirect.py
  skverdict graph examples/message_policy.py --program announced_size --svg > graph.svg"""


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("policy", metavar="POLICY", help="a policy (.py; - for stdin) or a BPF object (.o)")
    parser.add_argument("--program", metavar="NAME", help="only this one")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--svg", action="store_true", help="draw it; with several programs, name one")
    way.add_argument("--json", action="store_true", help="print the blocks as JSON")


def run(options: Namespace) -> int:
    """Find the blocks and print them."""
    _, content = load_object(options.policy)
    known = ", ".join(content.programs) or "none"
    if options.program and options.program not in content.programs:
        raise UsageError(f"no program {options.program!r}; there are {known}")
    programs = [each for name, each in content.programs.items() if options.program in (None, name)]
    if options.svg:
        if len(programs) != 1:
            raise UsageError(f"a drawing is of one program: --program, one of {known}")
        from skverdict.runtime.pictures.control_flow import blocks
        from skverdict.runtime.pictures.drawing import graph_svg

        print(graph_svg(blocks(programs[0]), f"control flow of {programs[0].name}"))
    elif options.json:
        import json

        print(json.dumps([_as_json(program) for program in programs], indent=2))
    else:
        from skverdict.runtime.pictures.control_flow import graph_text

        print("\n\n".join(graph_text(program) for program in programs))
    return 0


def _as_json(program: Program) -> dict[str, object]:
    from skverdict.runtime.pictures.control_flow import blocks

    found = [
        {
            "number": block.number,
            "first": block.first,
            "last": block.last,
            "function": block.function,
            "lines": [{"file": line.file, "line": line.number} for line in block.lines],
            "successors": block.successors,
        }
        for block in blocks(program)
    ]
    return {"program": program.name, "blocks": found}
