"""A warm process: for each line on standard input it builds one policy, and prints the seconds that took."""

from __future__ import annotations

import sys
import time

from skverdict.codegen import build
from skverdict.dsl import load_policy


def main(policy: str) -> None:
    for _ in sys.stdin:
        start = time.perf_counter()
        build(load_policy(policy))
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
