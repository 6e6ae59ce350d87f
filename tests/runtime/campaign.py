"""Many runs that each begin with a seed, and what became of them."""

from __future__ import annotations

import argparse
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Sequence

#: Seconds of the processor that no run may take.
TOO_LONG = 20.0


class TookTooLong(Exception):
    """A run that did not end in time."""


def _too_long(*_: object) -> None:
    raise TookTooLong


def campaign(run: Callable[[int], str], first: int, runs: int, seconds: float | None = None) -> Counter[str]:
    """What became of the runs with the seeds from `first` on; `run` says it in a word.

    Prints the seed of a run that raises, or takes too long, and raises that.
    """
    signal.signal(signal.SIGPROF, _too_long)
    counts: Counter[str] = Counter()
    end = None if seconds is None else time.monotonic() + seconds
    for seed in range(first, first + runs):
        if end is not None and time.monotonic() > end:
            break
        signal.setitimer(signal.ITIMER_PROF, TOO_LONG)
        try:
            counts[run(seed)] += 1
        except Exception:
            print(f"seed {seed}, after {counts.total()} runs", file=sys.stderr)
            raise
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    return counts


def main(module: str, summary: str, fuzz: Callable[[int, int, float | None], Counter[str]]) -> int:
    """The command line of `module`; `fuzz` takes the first seed, the runs and the seconds."""
    parser = _parser(module, summary)
    options = parser.parse_args()
    return _carry_out(options, lambda: fuzz(options.seed, options.runs, options.seconds))


def main_of(
    module: str,
    summary: str,
    fuzz: Callable[[str, int, int, float | None], Counter[str]],
    shares: Collection[str],
    arguments: Sequence[str],
) -> int:
    """The same where it says at first which of `shares` is meant."""
    parser = _parser(module, summary)
    parser.add_argument("what", choices=shares, help="what is made up")
    options = parser.parse_args(arguments)
    return _carry_out(options, lambda: fuzz(options.what, options.seed, options.runs, options.seconds))


def _parser(module: str, summary: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=summary)
    parser.add_argument("--seed", type=int, default=1, help="the seed of the first run (default 1)")
    parser.add_argument("--runs", type=int, default=10_000, help="how many runs (default 10000)")
    parser.add_argument("--seconds", type=float, help="end after so long")
    return parser


def _carry_out(options: argparse.Namespace, fuzz: Callable[[], Counter[str]]) -> int:
    try:
        counts = fuzz()
    except Exception:
        traceback.print_exc()
        return 1
    print(f"{counts.total()} runs from seed {options.seed}: {dict(counts.most_common())}")
    return 0
