"""Send random messages in random segments through the framed examples in the simulator.

    python -m tests.framing [--messages N] [--seed N]

Half of the messages go through each example, half of these to readers that lag. Exit status 1 if anything
else arrives than what is to arrive.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

from skverdict.codegen import build
from skverdict.dsl import load_policy
from skverdict.runtime import Simulator

from tests.framing.traffic import POLICIES, Wrong

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
#: Connections for one simulator, which remembers all that happened.
ROUNDS = 20


def run(messages: int, seed: int) -> int:
    """The number of messages that went through. Raises Wrong."""
    rng = random.Random(seed)
    total = 0
    for share, policy in enumerate(POLICIES, 1):
        content = build(load_policy(EXAMPLES / f"{policy.name}.py"))
        while total * len(POLICIES) < messages * share:
            ready = policy(Simulator(content))
            for number in range(ROUNDS):
                total += ready.run(rng, lag=number % 2 == 1)
                if total * len(POLICIES) >= messages * share:
                    break
    return total


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.framing", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--messages", type=int, default=1_000_000, help="how many at least (default 1000000)")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers (default 1)")
    arguments = parser.parse_args()
    try:
        total = run(arguments.messages, arguments.seed)
    except Wrong as error:
        print(f"seed {arguments.seed}: {error}", file=sys.stderr)
        return 1
    print(f"seed {arguments.seed}: {total} messages arrived as they should")
    return 0


if __name__ == "__main__":
    sys.exit(main())
