"""The policy that a command is about."""

from __future__ import annotations

import sys

from skverdict.runtime.cli.files import STANDARD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skverdict.dsl import Policy


def load(path: str) -> Policy:
    """Compile the policy in a file, or on standard input, and show its warnings. Raises PolicyError."""
    from skverdict.dsl import load_policy

    policy = load_policy("/dev/stdin" if path == STANDARD else path)
    for warning in policy.warnings:
        print(warning, file=sys.stderr)
    return policy
