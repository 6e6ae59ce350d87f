"""The meaning of random functions, found in three ways: by the evaluator of the IR, by plain Python with the
types of the language, and by running the bytes that they are compiled to, for every CPU and byte order.

    python -m tests.dsl.meaning --count 20000 --seed 1

prints seed and count, each difference with its function, and ends with 1 if there is any.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any, Literal

from skverdict.codegen import CodegenError, Target
from skverdict.codegen.target import CPUS, ENDIANS
from skverdict.dsl import Policy, PolicyError, load_policy
from skverdict.dsl.ir.evaluate import evaluate
from skverdict.dsl.ir.types import Struct, size_of
from skverdict.dsl.layout import layout_of
from skverdict.runtime.machine.fault import Fault

from tests.dsl.policy_kit import Machine
from tests.dsl.random_functions import NETWORK, PRELUDE, Written, limits, random_function

TARGETS = tuple(Target(cpu, endian) for cpu in CPUS for endian in ENDIANS)
# Functions in one policy, and inputs for each.
BATCH = 16
INPUTS = 6


def program(function: Written) -> str:
    """A program that calls the function with numbers from the packet, and writes there what it gives."""
    members = "".join(f"    p{number}: {type_}\n" for number, type_ in enumerate(function.parameters))
    arguments = ", ".join(f"frame.p{number}" for number in range(len(function.parameters)))
    name = function.name
    return (
        f"class Frame{name}(Struct):\n{members}    out: {function.result}\n\n\n"
        f"@skb_verdict\ndef run_{name}(skb: SkSkb) -> i32:\n"
        f"    frame = skb.data.view(Frame{name}, 0)\n    if frame is None:\n        return -1\n"
        f"    frame.out = {name}({arguments})\n    return 0\n"
    )


def policy_text(functions: Sequence[Written]) -> str:
    return "\n\n".join([PRELUDE, *(f"{each.text}\n\n{program(each)}" for each in functions)])


def inputs(random: Random, function: Written) -> list[int]:
    """Numbers for the parameters, many of them at the edges of their types."""
    found = []
    for type_ in function.parameters:
        low, high = limits(NETWORK.get(type_, type_))
        edges = (0, 1, low, high, high - 1, low + 1, random.randint(low, high), random.randint(0, 10))
        number = random.choice(edges)
        found.append(number if low <= number <= high else 0)
    return found


def plain_module(path: Path) -> ModuleType:
    """The policy imported as ordinary Python."""
    specification = importlib.util.spec_from_file_location("plain_policy", path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def in_python(module: ModuleType, function: Written, numbers: Sequence[int]) -> int | str:
    """What the function gives, or what it raises, which no function here may."""
    arguments = [
        getattr(module, type_)(number)
        for type_, number in zip(function.parameters, numbers, strict=True)
    ]
    try:
        return int(getattr(module, function.name)(*arguments))
    except (ArithmeticError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error} (line {line_of(error, module)})"


def line_of(error: BaseException, module: ModuleType) -> int:
    """The line of the policy that raised, counted from the start of its function."""
    step, line = error.__traceback__, 0
    while step is not None:
        if step.tb_frame.f_globals is vars(module):
            line = step.tb_lineno - step.tb_frame.f_code.co_firstlineno
        step = step.tb_next
    return line


def packet_for(module: ModuleType, function: Written, numbers: Sequence[int], endian: Any) -> bytearray:
    frame: Any = getattr(module, f"Frame{function.name}")()
    for number, (type_, value) in enumerate(zip(function.parameters, numbers, strict=True)):
        setattr(frame, f"p{number}", getattr(module, type_)(value))
    return bytearray(frame.pack(endian))


def answer(layout: Struct, packet: bytearray, endian: Literal["little", "big"], result: str) -> int:
    """The number that the program wrote."""
    member = layout.member("out")
    assert member is not None
    content = packet[member.offset : member.offset + size_of(member.type)]
    return int.from_bytes(content, endian, signed=result[0] == "i")


def differences(functions: Sequence[Written], targets: Sequence[Target], random: Random) -> Iterator[str]:
    """What the three ways tell differently, in words, with the function."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.py"
        path.write_text(policy_text(functions))
        module = plain_module(path)
        try:
            policy = load_policy(path)
            machines = {target: Machine(policy, target) for target in targets}
        except CodegenError as error:
            # Such functions may need more stack than there is; the others are looked at one by one.
            if len(functions) > 1:
                for function in functions:
                    yield from differences([function], targets, random)
            elif "stack" not in str(error):
                yield f"{error}\n{functions[0].text}"
            return
        except PolicyError as error:
            yield f"refused: {error}"
            return
        for function in functions:
            for _ in range(INPUTS):
                numbers = inputs(random, function)
                found = three_ways(policy, machines, module, function, numbers)
                if len(set(found.values())) > 1:
                    yield f"{function.name}({numbers}): {found}\n{function.text}"
                    break


def three_ways(
    policy: Policy,
    machines: Mapping[Target, Machine],
    module: ModuleType,
    function: Written,
    numbers: Sequence[int],
) -> dict[str, int | str]:
    """The function's result in each way: in Python, in the IR for each byte order, in bytes for each target."""
    layout = layout_of(getattr(module, f"Frame{function.name}"))
    program = f"run_{function.name}"
    found: dict[str, int | str] = {"python": in_python(module, function, numbers)}
    for endian in dict.fromkeys(target.endian for target in machines):
        packet = packet_for(module, function, numbers, endian)
        evaluate(policy.module, program, packet, {}, endian)
        found[f"ir {endian}"] = answer(layout, packet, endian, function.result)
    for target, machine in machines.items():
        packet = packet_for(module, function, numbers, target.endian)
        try:
            machine.run(packet, program)
            found[f"{target.cpu} {target.endian}"] = answer(layout, packet, target.endian, function.result)
        except Fault as fault:
            found[f"{target.cpu} {target.endian}"] = str(fault)
    return found


def check(count: int, seed: int, targets: Sequence[Target] = TARGETS) -> Iterator[str]:
    """The differences among `count` functions, each of them compiled for every target."""
    random = Random(seed)
    for done in range(0, count, BATCH):
        functions = [random_function(random, f"f{number}") for number in range(min(BATCH, count - done))]
        yield from differences(functions, targets, random)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, help="how many functions (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="which functions (default: %(default)s)")
    options = parser.parse_args()
    found = 0
    for text in check(options.count, options.seed):
        found += 1
        print(text, flush=True)
    print(f"seed {options.seed}: {options.count} functions, {found} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
