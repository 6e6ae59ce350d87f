"""`skverdict disasm`: an object file to text."""

from __future__ import annotations

from skverdict.runtime.cli.files import input_name, read_object_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from skverdict.codegen.object import Program

DETAILS = """

Any BPF object file will do, whatever compiled it. Source lines come from its BTF."""

EXAMPLE = """example:
  skverdict disasm port_redirect.o"""


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("object", metavar="FILE.o", help="the object file; - for stdin")
    parser.add_argument("--json", action="store_true", help="print the instructions as JSON")


def run(options: Namespace) -> int:
    """Read and print."""
    from skverdict.codegen import read_object

    name = input_name(options.object)
    content = read_object(read_object_file(options.object), name)
    if options.json:
        import json

        programs = [{"name": each.name, "section": each.section, "instructions": _listed(each)}
                    for each in content.programs.values()]  # fmt: skip
        print(json.dumps({"file": name, "programs": programs}, indent=2))
        return 0
    from skverdict.codegen.disassembler import disassemble

    print(disassemble(content).rstrip("\n"))
    return 0


def _listed(program: Program) -> list[dict[str, object]]:
    """Each instruction with the source line that it was compiled from."""
    from skverdict.codegen.instruction_text import instruction_text

    listed = []
    for slot in sorted(program.instructions):
        line = program.line_at(slot)
        listed.append({
            "slot": slot,
            "text": instruction_text(program, slot, program.functions),
            "file": line.file if line is not None else "",
            "line": line.line if line is not None else 0,
            "kernel": program.kernel.get(slot, ""),
        })  # fmt: skip
    return listed
