"""Runs in the guest: send messages through the framed examples, whose objects lie in the working folder.

The arguments are how many messages at least, and the seed of the random numbers. One result for each example
and kind of reader: `policy`, `readers`, and the number of `messages`, or the `error`.
"""

from __future__ import annotations

import random
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from skverdict.runtime.kernel.kernel import Kernel

from tests.framing.traffic import POLICIES
from tests.kernel.boundary import report, require_guest


def carry_out(policy: Callable[[Any], Any], content: bytes, rng: random.Random, lag: bool, count: int) -> int:
    """Send `count` messages at least through a policy that is loaded for it; how many they were."""
    total = 0
    with Kernel(content, settle=0) as kernel:
        ready = policy(kernel)
        while total < count:
            total += ready.run(rng, lag)
    return total


def main(messages: int, seed: int) -> None:
    require_guest()
    share = -(-messages // (2 * len(POLICIES)))
    for policy in POLICIES:
        content = Path(f"{policy.name}.o").read_bytes()
        for lag in (False, True):
            result: dict[str, Any] = {"policy": policy.name, "readers": "lag" if lag else "keep up"}
            try:
                result["messages"] = carry_out(policy, content, random.Random(seed), lag, share)
            except Exception:
                result["error"] = traceback.format_exc()
            report(result)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
