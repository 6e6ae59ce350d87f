"""Policies changed at will, loaded and built: each compiles, or is refused with a PolicyError.

    python -m tests.dsl.fuzz --seed 1 --count 10000 [--seconds 600]

Every run changes a policy of the examples or of the corpora, loads it, and builds what was not refused for each
CPU version, in child processes. It prints the count and what became of the runs, and at the first exception of
another kind, death of the code generator, or run that takes too long, the seed of that run and the policy.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from random import Random

from skverdict.codegen import Target, build
from skverdict.codegen.target import CPUS
from skverdict.dsl import Policy, PolicyError, load_policy
from skverdict.dsl.ir.check import check_module

from tests.corpus.language import ACCEPTED, PRELUDE, entries
from tests.corpus.rejected import topics
from tests.dsl.mutations import is_harmless, mutated, tokens

EXAMPLES = Path(__file__).parents[2] / "examples"
#: Seconds that no run may take.
TOO_LONG = 30
_DIED = "the code generator died"


class TookTooLong(BaseException):
    """A run that did not end in time."""


class Fault(Exception):
    """A policy that ended otherwise than it may; its text is the message."""


def policies() -> tuple[list[str], list[str]]:
    """The policies that are changed: those that compile, and those that are refused."""
    right = [PRELUDE + entry.text for file in ACCEPTED for entry in entries(file)]
    right += [path.read_text() for path in sorted(EXAMPLES.glob("*.py")) if not path.name.startswith("test_")]
    wrong = [PRELUDE + entry.text for topic in topics() for entry in topic.entries]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        return [text for text in right if is_harmless(text)], [text for text in wrong if is_harmless(text)]


def words_of(texts: Sequence[str]) -> list[str]:
    """The names in the policies, in order."""
    return sorted({token.text for text in texts for token in tokens(text) if token.text.isidentifier()})


def outcome(text: str, cpus: Sequence[str] = CPUS) -> str:
    """What became of a policy, in a word. Raises Fault for what should not."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        path = Path(folder) / "policy.py"
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        try:
            # A change may make a decorator of `print`.
            with redirect_stdout(StringIO()):
                policy = load_policy(path)
            check_module(policy.module)
        except PolicyError as error:
            assert str(error)
            return "refused"
        except Exception as error:
            raise Fault(text) from error
    refused = [cpu for cpu in cpus if not _builds(text, policy, cpu)]
    return "refused by the code generator" if refused else "built"


def _builds(text: str, policy: Policy, cpu: str) -> bool:
    """False if the code generator refuses the policy. Raises Fault if it dies."""
    try:
        build(policy, Target(cpu), isolate=True)
    except PolicyError as error:
        if _DIED in str(error):
            raise Fault(text) from error
        return False
    except Exception as error:
        raise Fault(text) from error
    return True


def _too_long(*_: object) -> None:
    raise TookTooLong


def fuzz(first: int, count: int, seconds: float | None = None) -> tuple[Counter[str], list[int]]:
    """What became of the runs with the seeds from `first` on, and the seeds of those that ended badly."""
    right, wrong = policies()
    words = words_of(right + wrong)
    # This process loads LLVM, so that not every child does.
    build(load_policy(EXAMPLES / "port_redirect.py"))
    signal.signal(signal.SIGALRM, _too_long)
    counts: Counter[str] = Counter()
    bad: list[int] = []
    end = None if seconds is None else time.monotonic() + seconds
    for seed in range(first, first + count):
        if end is not None and time.monotonic() > end:
            break
        random = Random(seed)
        text = mutated(random.choice(random.choice((right, right, wrong))), random, words)
        signal.alarm(TOO_LONG)
        try:
            counts[outcome(text)] += 1
        except (Fault, TookTooLong) as fault:
            signal.alarm(0)
            bad.append(seed)
            counts["faults"] += 1
            print(f"seed {seed}, {type(fault).__name__}:\n{text}", file=sys.stderr)
            traceback.print_exception(fault.__cause__ or fault)
        finally:
            signal.alarm(0)
    return counts, bad


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.dsl.fuzz", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seed", type=int, default=1, help="the seed of the first run (default 1)")
    parser.add_argument("--count", type=int, default=10_000, help="how many runs (default 10000)")
    parser.add_argument("--seconds", type=float, help="end after so long")
    options = parser.parse_args()
    counts, bad = fuzz(options.seed, options.count, options.seconds)
    print(f"{counts.total()} policies from seed {options.seed}: {dict(counts.most_common())}")
    if bad:
        print(f"ended badly: {', '.join(map(str, bad))}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
