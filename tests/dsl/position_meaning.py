"""The meaning of random programs that look for bytes at computed positions, found by plain Python with
the types of the language and by running the bytes that they are compiled to, for every CPU.

    python -m tests.dsl.position_meaning --count 5000 --seed 1

prints seed and count, each difference with its program, and ends with 1 if there is any. Programs that the compiler
refuses, since a position may be negative or out of reach, are counted and left out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from types import ModuleType
from typing import NamedTuple

from skverdict.codegen import CodegenError, Target
from skverdict.codegen.target import CPUS
from skverdict.dsl import Policy, PolicyError, SkSkb, load_policy
from skverdict.runtime.machine.fault import Fault

from tests.dsl.meaning import line_of, plain_module
from tests.dsl.policy_kit import Machine
from tests.dsl.random_positions import PRELUDE, Case, random_case, random_program

TARGETS = tuple(Target(cpu) for cpu in CPUS)
# Packets for each program.
CASES = 8

# What a program returns and what it leaves in the packet, or what went wrong.
Outcome = tuple[int, bytes] | str


class Found(NamedTuple):
    """Programs that were compared, those that were refused, and the differences in words."""

    compared: int
    refused: list[str]
    differences: list[str]


def in_python(module: ModuleType, name: str, case: Case) -> Outcome:
    """What the program does in Python, or what it raises, which none may."""
    module.count.value = 3
    skb = SkSkb(data=case.packet, **case.fields)
    try:
        result = int(getattr(module, name)(skb))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error} (line {line_of(error, module)})"
    return result, bytes(skb.data.content)


def compiled(machine: Machine, name: str, case: Case) -> Outcome:
    """What the compiled program does."""
    packet = bytearray(case.packet)
    try:
        result = machine.run(packet, name, **case.fields)
    except Fault as fault:
        return str(fault)
    return result, bytes(packet)


def differences(
    policy: Policy, module: ModuleType, name: str, targets: Sequence[Target], random: Random
) -> str:
    """What the ways tell differently, in words; empty if nothing."""
    machines = {target.cpu: Machine(policy, target) for target in targets}
    for _ in range(CASES):
        case = random_case(random)
        found = {"python": in_python(module, name, case)}
        found |= {cpu: compiled(machine, name, case) for cpu, machine in machines.items()}
        if len(set(found.values())) > 1:
            told = {way: outcome if isinstance(outcome, str) else outcome[0] for way, outcome in found.items()}
            return f"{case.fields}, {len(case.packet)} bytes {case.packet[:60]!r}: {told}"
    return ""


def check(
    count: int, seed: int, targets: Sequence[Target] = TARGETS, tell: Callable[[str], object] = lambda text: None
) -> Found:
    """Compare `count` programs that are not refused; `tell` is called with each difference as it is found."""
    random = Random(seed)
    compared = 0
    refused: list[str] = []
    different: list[str] = []
    while compared < count:
        text = random_program(random, "program")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "policy.py"
            path.write_text(f"from enum import IntEnum\n{PRELUDE}\n\n{text}")
            try:
                policy = load_policy(path)
                compared += 1
                told = differences(policy, plain_module(path), "program", targets, random)
            except PolicyError as error:
                refused.append(f"{error}\n{text}")
                continue
            except CodegenError as error:
                told = "" if "stack" in str(error) else str(error)
        if told:
            different.append(f"{told}\n{text}")
            tell(different[-1])
    return Found(compared, refused, different)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500, help="how many programs (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="which programs (default: %(default)s)")
    options = parser.parse_args()
    found = check(options.count, options.seed, tell=partial(print, flush=True))
    print(
        f"seed {options.seed}: {found.compared} programs, {len(found.refused)} refused, "
        f"{len(found.differences)} differences"
    )
    return 1 if found.differences else 0


if __name__ == "__main__":
    sys.exit(main())
