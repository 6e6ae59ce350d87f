"""`skverdict asm`: the text of an object to an object file."""

from __future__ import annotations

from skverdict.runtime.cli.failure import UsageError
from skverdict.runtime.cli.files import STANDARD, input_name, read_input, same_file, write_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

DETAILS = """

Reads what `skverdict disasm` prints, also after it was changed by hand: the same text gives the same
instructions. Distances of jumps may be left out where there is a label."""

EXAMPLE = """example:
  skverdict disasm port_redirect.o > port_redirect.s
  skverdict asm port_redirect.s -o port_redirect.o"""


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("text", metavar="FILE.s", help="the text; - for stdin")
    parser.add_argument("-o", "--output", required=True, metavar="FILE.o", help="the object; - for stdout")
    parser.add_argument(
        "--json", action="store_true", help="print what the object holds as JSON, as inspect does"
    )


def run(options: Namespace) -> int:
    """Read and write."""
    if same_file(options.text, options.output):
        raise UsageError(f"{options.output} is the text itself, which the object would replace")
    if options.json and options.output == STANDARD:
        raise UsageError("standard output can be the object or the JSON, not both")
    from skverdict.codegen.assembler import assemble
    from skverdict.codegen.object_writer import object_bytes

    name = input_name(options.text)
    try:
        text = read_input(options.text).decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: byte {error.start} is not UTF-8") from None
    content = object_bytes(assemble(text, name))
    write_output(options.output, content)
    if options.json:
        from skverdict.runtime.cli.inspect import print_json

        print_json(content, options.output)
    return 0
