"""The policy that a command is about."""

from __future__ import annotations

import sys

from skverdict.runtime.cli.files import STANDARD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser

    from skverdict.dsl import Policy
    from skverdict.dsl.errors import Diagnostic

KERNELS = ("6.1", "6.12", "7.2")
"""Those of `skverdict.dsl.catalogue.programs`, without the cost of importing that."""


def add_kernel_option(parser: ArgumentParser) -> None:
    """Declare `--kernel`."""
    parser.add_argument(
        "--kernel", choices=KERNELS, help="let the policy use only what this Linux has (default: the newest)"
    )


def load(path: str, kernel: str | None = None) -> Policy:
    """Compile the policy in a file, or on standard input, and show its warnings. Raises PolicyError.

    With `kernel`, it may use only what that kernel has.

    What the module prints goes to standard error: standard output is the command's own, an object perhaps.
    """
    # Not `load_policy`, which would issue the warnings for Python's module of that name to show.
    from skverdict.dsl.frontend.load import load as load_policy

    output, sys.stdout = sys.stdout, sys.stderr
    try:
        policy = load_policy("/dev/stdin" if path == STANDARD else path, kernel)
    finally:
        sys.stdout = output
    for warning in policy.warnings:
        show(warning)
    return policy


def show(warning: Diagnostic) -> None:
    """Print a warning where it does not get into what the command prints."""
    print(warning, file=sys.stderr)
