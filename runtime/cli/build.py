"""`skverdict build`: a policy to an object file."""

from __future__ import annotations

import gc

from skverdict.codegen.target import CPUS, ENDIANS, Target
from skverdict.runtime.cli.failure import UsageError
from skverdict.runtime.cli.files import same_file, write_output
from skverdict.runtime.cli.policy import add_kernel_option, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

DETAILS = """

The object is for libbpf and its likes. The same policy gives the same bytes, wherever and whenever it is
built. FILE.o is written only when all went well; a file that was there before stays as it is otherwise."""

EXAMPLE = """example:
  skverdict build examples/port_redirect.py -o port_redirect.o"""


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("policy", metavar="POLICY.py", help="the policy; - for stdin")
    parser.add_argument("-o", "--output", required=True, metavar="FILE.o", help="the object; - for stdout")
    parser.add_argument(
        "--cpu", choices=CPUS, default="v3", help="instruction set version (default: %(default)s, Linux 5.1)"
    )
    parser.add_argument(
        "--endian", choices=ENDIANS, default="little", help="byte order of the machine (default: %(default)s)"
    )
    add_kernel_option(parser)


def run(options: Namespace) -> int:
    """Compile and write."""
    if same_file(options.policy, options.output):
        raise UsageError(f"{options.output} is the policy itself, which the object would replace")
    from skverdict.codegen.llvm import preload

    target = Target(options.cpu, options.endian)
    # What a build makes lives until its end; looking for garbage takes a twentieth of it.
    gc.disable()
    try:
        preload(target)
        from skverdict.codegen import build

        write_output(options.output, build(load(options.policy, options.kernel), target))
    finally:
        gc.enable()
    return 0
