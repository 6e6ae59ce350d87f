"""The policy that a test module is about."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

FOLDERS = (".", "..", "../policies")
"""Where the policy of a test is looked for, from the folder of the test."""

PREFIX = "test_"


class NoPolicy(Exception):
    """There is none; says where it would have been found."""


def policy_path(test: Path, given: Sequence[str] = ()) -> Path:
    """The policy of the test module `test`: `given`, a path from the test's folder, or the one of its name.

    `test_balancer.py` is about `balancer.py`, in the same folder, the one above, or `policies` beside it.
    Raises NoPolicy.
    """
    if given:
        tried = [test.parent / given[0]]
    elif test.name.startswith(PREFIX):
        tried = [test.parent / folder / test.name.removeprefix(PREFIX) for folder in FOLDERS]
    else:
        tried = []
    for path in tried:
        if path.is_file():
            return path.resolve()
    looked = ", ".join(os.path.relpath(path, test.parent) for path in tried)
    looked = f"; looked for {looked}, from its folder" if tried else ""
    raise NoPolicy(
        f'no policy for {test.name}{looked}. Name it at the top of the module: '
        'pytestmark = pytest.mark.policy("path/from/this/file.py")'
    )
