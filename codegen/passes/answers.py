"""Constant answers after a test of a helper's result get a block of their own.

A helper's result is in r0, where the answer goes, too. LLVM puts a constant answer into r0 before the branch
that leads to the return, and to do so first moves the result it is about to test out of the way.
"""

from __future__ import annotations

import re

from skverdict.codegen.passes.function_text import FunctionText

_ANSWER = re.compile(r"^  (%[\w.]+) = phi (\w+) (.*?)(, !dbg !\d+)?$")
_INCOMING = re.compile(r"\[ ([^,]+), %([\w.$-]+) \]")
_CONDITION = re.compile(r"^  br i1 (%[\w.]+), label")
_TESTED = re.compile(r"= icmp \w+(?: samesign)? \w+ (%[\w.]+),")


def give_answers_blocks(function: FunctionText) -> bool:
    """Change `function` if that makes it shorter; True if it was changed."""
    for label, block in function.blocks.items():
        answer = _ANSWER.match(block[0])
        if answer and len(block) == 2 and block[1].startswith(f"  ret {answer[2]} {answer[1]}"):
            return _separate(function, label, answer)
    return False


def _separate(function: FunctionText, end: str, answer: re.Match[str]) -> bool:
    """Separate the constants that come to block `end` from a test of a helper's result."""
    name, kind, incoming, place = answer.groups()
    ways = _INCOMING.findall(incoming)
    constants = {
        value
        for value, origin in ways
        if not value.startswith("%") and _tests_result(function.blocks[origin])
    }
    if not constants:
        return False
    kept = [(value, origin) for value, origin in ways if value not in constants]
    blocks = {}
    for number, constant in enumerate(sorted(constants)):
        label, value = f"answer{number}", f"%answer{number}.value"
        for origin in sorted({origin for each, origin in ways if each == constant}):
            function.redirect(origin, end, label)
        # As an operand of `asm` the constant stays in this block; otherwise LLVM would fold the block away.
        blocks[label] = [f'  {value} = call {kind} asm "", "=r,0"({kind} {constant}){place or ""}']
        blocks[label].append(f"  br label %{end}{place or ''}")
        kept.append((value, label))
    arms = ", ".join(f"[ {value}, %{origin} ]" for value, origin in kept)
    last = function.blocks.pop(end)
    last[0] = f"  {name} = phi {kind} {arms}{place or ''}"
    function.blocks.update(blocks)
    function.blocks[end] = last
    return True


def _tests_result(block: list[str]) -> bool:
    """True if the block ends in a branch on what a helper called in it has given."""
    condition = _CONDITION.match(block[-1])
    if not condition:
        return False
    test = next((line for line in block if line.startswith(f"  {condition[1]} = icmp ")), "")
    tested = _TESTED.search(test)
    if not tested:
        return False
    result = next((line for line in block if line.startswith(f"  {tested[1]} = ")), "")
    return " inttoptr (i64 " in result and "call " in result
