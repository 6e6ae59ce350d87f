"""`skverdict ir`: a policy to the text of its intermediate representation."""

from __future__ import annotations

from skverdict.runtime.cli.policy import load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

DETAILS = """

The text is what the compiler makes of the policy before LLVM sees it; it can be parsed back."""

EXAMPLE = """example:
  skverdict ir examples/port_redirect.py"""


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("policy", metavar="POLICY.py", help="the policy; - for stdin")


def run(options: Namespace) -> int:
    """Compile and print."""
    from skverdict.dsl.ir.text import print_module

    print(print_module(load(options.policy).module), end="")
    return 0
