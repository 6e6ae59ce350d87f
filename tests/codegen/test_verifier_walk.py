"""How far the kernel's verifier gets in a program, held against what kernels said of the same programs.

The numbers of steps are the `processed N insns` of Linux 6.1, 6.12 and 7.2, which agree on these programs;
`python -m tests.kernel.walked` asks kernels for more of them.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from skverdict.codegen import CodegenError, Object, Target, build, read_object
from skverdict.codegen.verifier import judge
from skverdict.codegen.verifier import walk as verifier_walk
from skverdict.codegen.verifier.judge import objections
from skverdict.codegen.verifier.walk import MOST_WAYS, Walked, walk
from skverdict.dsl import Diagnostic

from tests.dsl.policy_kit import compiled

COUNT = """
@stream_verdict
def program(skb: SkSkb) -> i32:
    n: u32 = 0
    for i in range({turns}):
        byte = skb.data[i]
        if byte is None:
            break
        if byte == 10:
            n += 1
    return SK_PASS if n > 3 else SK_DROP
"""
SEARCH = """
@stream_verdict
def program(skb: SkSkb) -> i32:
    for i in range({turns}):
        byte = skb.data[i]
        if byte is None:
            break
        if byte == 10:
            return SK_DROP
    return SK_PASS
"""
COMPARE = """
@stream_verdict
def program(skb: SkSkb) -> i32:
    n: u32 = 0
    for i in range({turns}):
        if skb.hash > u32(i):
            n += 1
    return SK_PASS if n > 3 else SK_DROP
"""
WITHOUT_BRANCHES = """
@stream_verdict
def program(skb: SkSkb) -> i32:
    n: u32 = 0
    k: u32 = skb.hash
    for i in range({turns}):
        k = k * 5 + 1
        if k & 0x10 == 0x10:
            n ^= k
        if k & 0x100 == 0x100:
            n -= k * 3
    return SK_PASS if n > 3 else SK_DROP
"""
IN_A_MAP = """
box = ArrayMap(value=u32, max_entries=1)

@stream_verdict
def program(skb: SkSkb) -> i32:
    seen = box.lookup(0)
    if seen is None:
        return SK_DROP
    seen.value = 0
    for i in range({turns}):
        byte = skb.data[i]
        if byte is None:
            break
        if byte == 10:
            atomic_add(seen, 1)
    return SK_PASS if seen.value > 3 else SK_DROP
"""
CALLED_BACK = """
from skverdict.dsl.helpers import bpf_loop

class Scan(Struct):
    seen: u32

@subprogram
def turn(index: u32, scan: Scan) -> i32:
    scan.seen += 1
    return 0

@stream_verdict
def program(skb: SkSkb) -> i32:
    scan = Scan()
    bpf_loop({turns}, turn, scan)
    return SK_PASS if scan.seen > 3 else SK_DROP
"""
NOT_ZERO = """
@stream_verdict
def program(skb: SkSkb) -> i32:
    n: u32 = 1
    left = i32(skb.hash & 15)
    while left != 0:
        n ^= n << 3
        left -= 1
    return SK_PASS if n > 10 else SK_DROP
"""
SET_BEFORE = """
limit = Const(u32, {turns})

@stream_verdict
def program(skb: SkSkb) -> i32:
    for i in range(min(limit.value, 20000)):
        byte = skb.data[i]
        if byte is None:
            break
        if byte == 10:
            return SK_DROP
    return SK_PASS
"""


@pytest.fixture(scope="module")
def unchecked() -> Callable[[str], Object]:
    """The object of a policy that may be too much, in which the verifier knows all that is counted."""

    def made(text: str) -> Object:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("skverdict.codegen.limits.LimitChecker.check_verified", lambda *_: [])
            patch.setattr("skverdict.codegen.object_builder.tallies", lambda _: {})
            return read_object(build(compiled(text), Target("v3")))

    return made


def walked(object_: Object, most_steps: int = 200_000) -> Walked:
    return walk(object_, object_.programs["program"], most_steps)


@pytest.mark.parametrize(
    ("text", "turns", "steps"),
    [
        (SEARCH, 4090, 49_083),
        (WITHOUT_BRANCHES, 5000, 80_008),
        (IN_A_MAP, 4000, 109_588),
        (CALLED_BACK, 20_000, 24),
    ],
)
def test_steps_are_those_of_kernels(
    unchecked: Callable[[str], Object], text: str, turns: int, steps: int
) -> None:
    found = walked(unchecked(text.format(turns=turns)))

    assert (found.steps, found.at) == (steps, None)
    assert found.ways <= MOST_WAYS


@pytest.mark.parametrize(
    ("text", "turns", "steps"), [(COUNT, 9000, 45_063), (COUNT, 4100, 45_063), (COMPARE, 8200, 49_157)]
)
def test_no_more_ways_are_kept_than_kernels_keep(
    unchecked: Callable[[str], Object], text: str, turns: int, steps: int
) -> None:
    found = walked(unchecked(text.format(turns=turns)))

    assert (found.steps, found.ways) == (steps, MOST_WAYS + 1)
    assert found.at is not None


def test_what_was_counted_makes_what_follows_another_case(unchecked: Callable[[str], Object]) -> None:
    found = walked(unchecked(COUNT.format(turns=4090)))

    assert found.at is not None
    assert found.ways <= MOST_WAYS


def test_the_loop_is_named_with_its_turns(unchecked: Callable[[str], Object]) -> None:
    (objection,) = objections(unchecked(SEARCH.format(turns=9000)))

    assert objection.message == (
        "kernels refuse this loop after 4097 turns: each has 2 branches that the verifier cannot decide, and it "
        "keeps 8192 of them at most"
    )
    assert objection.line is not None
    assert objection.line.text.strip() == "for i in range(9000):"
    assert objection.is_certain


def test_what_kernels_take_is_built_without_a_word() -> None:
    warnings: list[Diagnostic] = []
    build(compiled(SEARCH.format(turns=4000)), warn=warnings.append)
    assert warnings == []


@pytest.mark.parametrize("isolate", [False, True])
def test_what_user_space_may_set_smaller_is_only_warned_of(isolate: bool) -> None:
    warnings: list[Diagnostic] = []
    build(compiled(SET_BEFORE.format(turns=9000)), isolate=isolate, warn=warnings.append)

    (warning,) = warnings
    assert warning.severity == "warning"
    assert warning.source_line.strip() == "for i in range(min(limit.value, 20000)):"
    build(compiled(SET_BEFORE.format(turns=100)), isolate=isolate, warn=warnings.append)
    assert warnings == [warning]


def test_older_kernels_do_not_see_that_what_is_not_zero_is_more(
    unchecked: Callable[[str], Object], monkeypatch: pytest.MonkeyPatch
) -> None:
    object_ = unchecked(NOT_ZERO)
    assert walk(object_, object_.programs["program"], 10_000, "6.12").at is None
    assert walk(object_, object_.programs["program"], 10_000, "6.1").at is not None

    monkeypatch.setattr(judge, "_SURELY_TOO_MANY", 10_000)
    monkeypatch.setattr(verifier_walk, "MOST_STEPS", 8_000)
    (newest,) = objections(object_, "7.2")
    (oldest,) = objections(object_, "6.1")
    assert not newest.is_certain
    assert newest.message.startswith("Linux 6.1 refuses `program`")
    assert "test numbers with `<` and `>`" in newest.hint
    assert oldest.is_certain
    assert oldest.message.startswith("kernels refuse `program`")
    assert list(objections(object_, "6.12")) == []


@pytest.mark.parametrize("cpu", ["v1", "v3"])
def test_without_32_bit_registers_more_is_left_undecided(cpu: str) -> None:
    policy = compiled(NOT_ZERO.replace("i32(skb.hash & 15)", "skb.hash & 15"))
    if cpu == "v3":
        assert build(policy, Target(cpu))
    else:
        with pytest.raises(CodegenError, match="build for cpu v3: with cpu v1 more is left undecided"):
            build(policy, Target(cpu))


@pytest.mark.parametrize("isolate", [False, True])
def test_what_no_kernel_takes_is_refused(isolate: bool) -> None:
    with pytest.raises(CodegenError) as caught:
        build(compiled(COMPARE.format(turns=8200)), isolate=isolate)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.source_line.strip() == "for i in range(8200):"
