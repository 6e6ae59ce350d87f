"""Subprograms and global variables: what they give, and what becomes of them in the IR and the object."""

from __future__ import annotations

import pytest
from skverdict.codegen import Target, build, read_object

from tests.dsl.policy_kit import Machine, compiled, operations

CLAMP = """
@subprogram
def clamp(n: u32, most: u32) -> u32:
    if n > most:
        return most
    return n

@skb_verdict
def program(ctx: SkSkb) -> i32:
    return i32(clamp(ctx.len, 10) * 100 + clamp(ctx.hash, 50))
"""


@pytest.mark.parametrize("target", [Target("v1"), Target("v3"), Target("v4"), Target("v3", "big")], ids=repr)
def test_a_subprogram_is_a_function_of_the_object(target: Target) -> None:
    made = Machine(compiled(CLAMP), target)
    assert made.run(len=4, hash=70) == 450
    assert made.run(len=40, hash=7) == 1007
    assert "clamp" in made.object.programs["program"].functions.values()


POINTERS = """
class Key(Struct):
    port: u32
    total: u32

table = HashMap(key=u32, value=Key, max_entries=4)

@subprogram
def add(key: Key, n: u32) -> None:
    key.total += n
    if n > 100:
        return
    key.port += 1

@subprogram
def known(key: Key | None) -> bool:
    return key is not None

@skb_verdict
def program(ctx: SkSkb) -> i32:
    key = Key(total=5)
    add(key, ctx.len)
    if not known(table.lookup(1)):
        table.update(1, key)
        return i32(u16(key.total)) * 10 + i32(u8(key.port))
    entry = table.lookup(1)
    if entry is None:
        return -1
    add(entry, ctx.len)
    return i32(u16(entry.total))
"""


def test_structures_are_passed_by_their_address_wherever_they_lie() -> None:
    policy = compiled(POINTERS)
    assert [each.name for each in policy.module.functions] == ["add", "known", "add_2", "program"]
    made = Machine(policy)
    assert made.run(len=7) == 121
    assert made.run(len=200) == 212
    assert made.run(len=200) == 412


def test_what_a_subprogram_gives_is_known_to_lie_between_its_results() -> None:
    body = "words = Words()\n    words.words[index(ctx.len)] = 1\n    return SK_PASS"
    compiled(f"""
class Words(Struct):
    words: Array[u32, 4]

@subprogram
def index(n: u32) -> u32:
    if n < 4:
        return n
    return 0

@skb_verdict
def program(ctx: SkSkb) -> i32:
    {body}
""")


def test_a_subprogram_that_nothing_calls_is_left_out() -> None:
    policy = compiled(CLAMP + "\n@subprogram\ndef unused(a: u32) -> u32:\n    return a\n")
    assert [each.name for each in policy.module.functions] == ["clamp", "program"]


def test_one_subprogram_serves_programs_of_several_kinds() -> None:
    policy = compiled("""
@subprogram
def tag(n: u32) -> u32:
    m = n
    m += 3
    return m

@skb_verdict
def one(ctx: SkSkb) -> i32:
    return i32(u8(tag(ctx.len)))

@msg_verdict
def two(ctx: SkMsg) -> i32:
    return i32(u8(tag(ctx.size)))
""")
    assert [each.name for each in policy.module.functions] == ["tag", "one", "two"]
    made = Machine(policy)
    assert (made.run(name="one", len=4), made.run(name="two", size=5)) == (7, 8)


VARIABLES = """
class Stats(Struct):
    packets: u64
    port: be16

threshold = Global(u32, 10)
limit = Const(u32, 3)
stats = Global(Stats, Stats(port=be16(80)))
marks = Global(Array[u8, 4], [1, 2, 3, 4])
zeros = Global(i16)

@skb_verdict
def program(ctx: SkSkb) -> i32:
    stats.value.packets += 1
    threshold.value += ctx.len
    marks.value[ctx.hash & 3] += 1
    if stats.value.port == be16(80):
        zeros.value -= 1
    return i32(u16(threshold.value)) + i32(u16(limit.value)) * 100 + zeros.value
"""


@pytest.mark.parametrize("target", [Target(), Target("v1", "big")], ids=repr)
def test_variables_lie_in_the_sections_that_c_has_for_them(target: Target) -> None:
    object_ = read_object(build(compiled(VARIABLES), target))
    sections = {name: (section.read_only, list(section.variables)) for name, section in object_.data.items()}
    assert sections == {
        ".rodata": (True, ["limit"]),
        ".data": (False, ["threshold", "stats", "marks"]),
        ".bss": (False, ["zeros"]),
    }
    assert Machine(compiled(VARIABLES), target).run(len=5, hash=0) == 15 + 300 - 1


def test_loads_of_a_constant_are_never_folded() -> None:
    policy = compiled("limit = Const(u32, 3)\n@skb_verdict\ndef program(ctx: SkSkb) -> i32:\n"
                      "    return i32(u8(limit.value))\n")  # fmt: skip
    (function,) = policy.module.functions
    assert len(list(operations(function, "global"))) == 1
    assert Machine(policy).object.programs["program"].data


def test_variables_are_plain_objects_in_ordinary_python() -> None:
    names: dict[str, object] = {}
    exec("from skverdict.dsl import *\nlimit = Const(u32, 3)\nmarks = Global(Array[u8, 2])\n", names)
    assert names["limit"].value == 3  # type: ignore[attr-defined]
    assert names["marks"].value == [0, 0]  # type: ignore[attr-defined]


def test_defaults_and_parameters_that_are_given_by_name() -> None:
    text = """
    @subprogram
    def price(count: u32, each: u32 = 3, *, shipping: u64 = 1 << 33) -> u64:
        return count * each + shipping

    @skb_verdict
    def program(ctx: SkSkb) -> i32:
        if price(ctx.len) != 3 * u64(ctx.len) + (1 << 33):
            return 0
        return i32(price(ctx.len, 5, shipping=0) * 100 + price(each=2, count=ctx.hash, shipping=1))
    """
    assert Machine(compiled(text)).run(len=4, hash=7) == 2015
