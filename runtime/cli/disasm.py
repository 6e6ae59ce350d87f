"""`skverdict disasm`: an object file to text."""

from __future__ import annotations

from skverdict.runtime.cli.files import input_name, read_input

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

DETAILS = """

Any BPF object file will do, whatever compiled it. Source lines come from its BTF."""

EXAMPLE = """example:
  skverdict disasm port_redirect.o"""


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("object", metavar="FILE.o", help="the object file; - for stdin")


def run(options: Namespace) -> int:
    """Read and print."""
    from skverdict.codegen import read_object
    from skverdict.codegen.disassembler import disassemble

    print(disassemble(read_object(read_input(options.object), input_name(options.object))).rstrip("\n"))
    return 0
