"""What loops count in some turns is forgotten by the verifier, comes out the same, and ends no loop."""

from __future__ import annotations

from textwrap import indent

import pytest
from skverdict.codegen import CodegenError, Target, build, object_builder, read_object
from skverdict.codegen.lowering.tallies import tallies
from skverdict.codegen.target import CPUS
from skverdict.codegen.verifier.walk import walk
from skverdict.dsl import Policy
from skverdict.dsl.catalogue.programs import KERNELS
from skverdict.dsl.errors import Place
from skverdict.runtime import Simulator

from tests.dsl.policy_kit import compiled

SEEN = "class Seen(Struct):\n    lines: u32\n    last: u16\n    by_kind: Array[u32, 3]\n"


def policy(body: str) -> Policy:
    head = "watched = SockMap(max_entries=1)\nanswer = Global(u64)\n@stream_verdict\ndef program(skb: SkSkb) -> i32:\n"
    return compiled(f"{SEEN}\n{head}{indent(body.strip(), '    ')}\n    return SK_DROP\n")


COUNT = """
n: u32 = 0
for i in range(64):
    if skb.data[i] == 10:
        n += 1
answer.value = n
"""
COUNT_BY_TESTS = """
n: u64 = 3
for i in range(64):
    n += 1 if skb.data[i] == 10 else 0
    n += u64(skb.data[i] == 13)
answer.value = n
"""
LAST = """
last = 0
for i in range(64):
    if skb.data[i] == 10:
        last = i
answer.value = u64(last)
"""
MEMBERS = """
seen = Seen()
for i in range(64):
    if skb.data[i] == 10:
        seen.lines += 1
        seen.last = u16(i)
answer.value = u64(seen.lines) << 32 | seen.last
"""
BELOW = """
depth = 0
for i in range(64):
    byte = skb.data[i]
    if byte is None:
        break
    if byte == 13:
        depth -= 1
    if byte == 10 and depth < 8:
        depth += 1
answer.value = u64(depth)
"""
SECOND_LOOP = """
start: u32 = 0
for i in range(64):
    if skb.data[i] == 10:
        start = i + 1
        break
for j in range(64):
    if skb.data[start + j] == 32:
        answer.value = start + j
        break
"""
NESTED = """
n: u32 = 0
for i in range(4):
    for j in range(16):
        if skb.data[i * 16 + j] == 10:
            n += i
answer.value = n
"""
STEPS = """
i: u32 = 0
n: u32 = 0
while i < 64:
    if skb.data[i] == 10:
        n += 1
        i += 2
    else:
        i += 1
answer.value = n
"""


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (COUNT, {"n"}),
        (COUNT_BY_TESTS, {"n"}),
        (LAST, {"last"}),
        (MEMBERS, {"seen+0", "seen+4"}),
        (BELOW, {"depth"}),
        (SECOND_LOOP, {"start"}),
        (NESTED, {"n"}),
        (MEMBERS.replace("seen.lines", "seen.by_kind[1]").replace("seen.last = u16(i)", "pass"), {"seen+12"}),
        # `i` is what the loop ends by.
        (STEPS, {"n"}),
        # A few turns are no work.
        (COUNT.replace("64", "8"), set()),
        # Each turn counts.
        (COUNT.replace("if skb.data[i] == 10:\n        n += 1", "n += 3"), set()),
        # No verifier knows it anyway.
        (COUNT.replace("n += 1", "n += skb.hash"), set()),
        # Another number, but not another in each turn.
        (COUNT.replace("n += 1", "n = 1"), set()),
        # All that there is to end the loop by.
        ("n: u32 = 0\nwhile n < 20:\n    if skb.data[n] != 10:\n        n += 1\nanswer.value = n", set()),
    ],
)
def test_what_only_some_turns_count_is_found(text: str, names: set[str]) -> None:
    (function,) = policy(text).module.functions
    found = tallies(function)

    assert {f"{local}+{offset}" if local == "seen" else local for local, offset in found} == names


DATA = bytes(range(40, 70)) + b"\n\r\n" + b" k=1 \n" * 6
FEEDS = [place for place, byte in enumerate(DATA[:64]) if byte == 10]


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (COUNT, len(FEEDS)),
        (COUNT_BY_TESTS, 3 + len(FEEDS) + 1),
        (LAST, FEEDS[-1]),
        (MEMBERS, len(FEEDS) << 32 | FEEDS[-1]),
        (BELOW, len(FEEDS) - 1),
        (SECOND_LOOP, DATA.index(b" ", FEEDS[0])),
        (NESTED, sum(place // 16 for place in FEEDS)),
        (STEPS, len(FEEDS)),
    ],
)
def test_it_is_the_number_that_it_was(text: str, expected: int, cpu: str) -> None:
    simulator = Simulator(build(policy(text), Target(cpu)), linear=len(DATA))
    client, server = simulator.tcp_pair()
    simulator.attach("watched", verdict="program")
    simulator.maps["watched"][0] = server
    client.send(DATA)

    assert simulator.globals["answer"] == expected


IN_A_SUBPROGRAM = """
class Line(Struct):
    text: Array[u8, 64]

lines = ArrayMap(value=Line, max_entries=1)

@subprogram
def words(line: Line) -> u32:
    n: u32 = 0
    for i in range(64):
        if line.text[i] == 32:
            n += 1
    return n

@stream_verdict
def program(skb: SkSkb) -> i32:
    line = {line}
    if line is None:
        return SK_DROP
    return SK_PASS if words(line) > 3 else SK_DROP
"""


PLACE = "line.text[n & 63]"


# In a view of the packet it must know where it looks, as it cannot look for the end.
@pytest.mark.parametrize(
    ("line", "byte", "names"),
    [
        ("lines.lookup(0)", "line.text[i]", {"n"}),
        ("lines.lookup(0)", PLACE, {"n"}),
        ("skb.data.view(Line, 0)", "line.text[i]", {"n"}),
        ("skb.data.view(Line, 0)", PLACE, set()),
    ],
)
def test_subprograms_forget_what_they_count(line: str, byte: str, names: set[str]) -> None:
    made = compiled(IN_A_SUBPROGRAM.format(line=line).replace("line.text[i]", byte))
    (words,) = (function for function in made.module.functions if function.name == "words")

    assert {local for local, _ in tallies(words)} == names


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("line", ["lines.lookup(0)", "skb.data.view(Line, 0)"])
def test_a_subprogram_that_counts_is_followed(line: str, kernel: str) -> None:
    object_ = read_object(build(compiled(IN_A_SUBPROGRAM.format(line=line))))

    assert walk(object_, object_.programs["program"], 10_000, kernel).at is None


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("cpu", ["v1", "v3"])
@pytest.mark.parametrize("text", [COUNT, COUNT_BY_TESTS, LAST, MEMBERS, BELOW, SECOND_LOOP, NESTED, STEPS])
def test_verifiers_follow_it_in_a_few_thousand_steps(text: str, cpu: str, kernel: str) -> None:
    object_ = read_object(build(policy(text), Target(cpu)))
    found = walk(object_, object_.programs["program"], 10_000, kernel)

    assert found.at is None


# The verifier of 7.2 knows what a number is made of, and of that what a test told of the number.
ONE_BEHIND_THE_OTHER = """
at: u32 = 8
for _ in range(6):
    name: u32 = 0
    for i in range(24):
        if skb.data[at + i] == 0:
            name = at + i + 1
            break
    if name == 0:
        return SK_PASS
    value: u32 = 0
    for i in range(24):
        if skb.data[name + i] == 0:
            value = name + i + 1
            break
    if value == 0:
        return SK_PASS
    at = value
answer.value = at
"""


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_test_of_one_place_tells_nothing_of_the_next(kernel: str) -> None:
    object_ = read_object(build(policy(ONE_BEHIND_THE_OTHER)))

    assert walk(object_, object_.programs["program"], 100_000, kernel).at is None


def test_what_must_be_known_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that comes to nothing with numbers forgotten is tried again with all that is known."""
    tried: list[dict[str, object]] = []
    verified = object_builder._verified

    def refuse(policy: Policy, target: Target, verify: bool, forgotten: dict[str, object]) -> object:
        tried.append(forgotten)
        if any(forgotten.values()):
            raise CodegenError("too much", Place("policy.py", 0, 0))
        return verified(policy, target, verify, {})

    monkeypatch.setattr(object_builder, "_verified", refuse)
    few = policy(COUNT.replace("64", "9"))

    assert build(few)
    assert [bool(any(forgotten.values())) for forgotten in tried] == [True, False]
