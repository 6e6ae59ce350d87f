"""A process that builds every policy named on its command line, once, into objects that nobody keeps."""

from __future__ import annotations

import gc
import sys

from skverdict.codegen.llvm import preload
from skverdict.codegen.target import Target


def main(policies: list[str]) -> None:
    # As `skverdict build` does.
    gc.disable()
    preload(Target())
    from skverdict.codegen import build
    from skverdict.dsl import load_policy

    for policy in policies:
        build(load_policy(policy))


if __name__ == "__main__":
    main(sys.argv[1:])
