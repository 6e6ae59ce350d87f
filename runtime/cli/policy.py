"""The policy that a command is about."""

from __future__ import annotations

import sys

from skverdict.runtime.cli.files import STANDARD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skverdict.dsl import Policy


def load(path: str) -> Policy:
    """Compile the policy in a file, or on standard input, and show its warnings. Raises PolicyError.

    What the module prints goes to standard error: standard output is the command's own, an object perhaps.
    """
    from skverdict.dsl import load_policy

    output, sys.stdout = sys.stdout, sys.stderr
    try:
        policy = load_policy("/dev/stdin" if path == STANDARD else path)
    finally:
        sys.stdout = output
    for warning in policy.warnings:
        print(warning, file=sys.stderr)
    return policy
