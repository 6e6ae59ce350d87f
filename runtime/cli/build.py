"""`skverdict build`: a policy to an object file."""

from __future__ import annotations

import gc

from skverdict.codegen.target import CPUS, ENDIANS, Target
from skverdict.runtime.cli.failure import UsageError
from skverdict.runtime.cli.files import STANDARD, same_file, write_output
from skverdict.runtime.cli.policy import add_kernel_option, load, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

SKELETONS = ("c", "go", "rust")
"""Those of `skverdict.runtime.skeleton`, without the cost of importing that."""

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
    parser.add_argument(
        "--skeleton",
        choices=SKELETONS,
        help="also write a loader to begin with, beside the object: for libbpf, cilium/ebpf or aya",
    )
    parser.add_argument(
        "--json", action="store_true", help="print what the object holds as JSON, as inspect does"
    )


def run(options: Namespace) -> int:
    """Compile and write."""
    if same_file(options.policy, options.output):
        raise UsageError(f"{options.output} is the policy itself, which the object would replace")
    if options.json and options.output == STANDARD:
        raise UsageError("standard output can be the object or the JSON, not both")
    skeleton = _skeleton_path(options.output, options.skeleton) if options.skeleton else ""
    from skverdict.codegen.llvm import preload

    target = Target(options.cpu, options.endian)
    # What a build makes lives until its end; looking for garbage takes a twentieth of it.
    gc.disable()
    try:
        preload(target)
        from skverdict.codegen import build

        content = build(load(options.policy, options.kernel), target, warn=show)
        if skeleton:
            loader = _loader(content, options.output, options.skeleton)
        write_output(options.output, content)
        if skeleton:
            write_output(skeleton, loader)
    finally:
        gc.enable()
    if options.json:
        from skverdict.runtime.cli.inspect import print_json

        print_json(content, options.output)
    return 0


def _skeleton_path(output: str, language: str) -> str:
    """Where the loader goes, which must not be there: it is for its user to change."""
    import os

    from skverdict.runtime.skeleton import LANGUAGES

    if output == STANDARD:
        raise UsageError("a loader is written beside the object, which goes to standard output")
    path = os.path.splitext(output)[0] + LANGUAGES[language].ending
    if os.path.lexists(path):
        raise UsageError(f"{path} is there already, and may hold changes")
    return path


def _loader(content: bytes, output: str, language: str) -> bytes:
    """The source of a loader."""
    import os
    import sys

    from skverdict.codegen import read_object
    from skverdict.runtime.capture.plan import doubtful_maps
    from skverdict.runtime.skeleton import LANGUAGES
    from skverdict.runtime.skeleton.parts import SkeletonError, parts_of

    name = os.path.basename(output)
    read = read_object(content, name)
    try:
        text = LANGUAGES[language].text(parts_of(read, name)).encode()
    except SkeletonError as error:
        raise UsageError(str(error)) from None
    if doubtful := doubtful_maps(read):
        first, unused = doubtful
        print(
            f"skverdict: note: the loader attaches the programs to {first}, the first socket map, which they use "
            f"themselves; if that is to be {unused}, declare it first",
            file=sys.stderr,
        )
    return text
