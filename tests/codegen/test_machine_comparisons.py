"""What verifiers know exactly stands second in a comparison, whoever gives the registers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from skverdict.codegen.machine import improve
from skverdict.codegen.machine.registers import OutOfRegisters

from tests.codegen.test_machine_passes import count, shortened

SEVEN = "r7 = *(u32 *)(r1 + 0)\nr6 = 7\n{test}\nr0 = 1\nexit\nsmall:\nr0 = 2\nexit"
ROUNDS = (
    "r7 = *(u32 *)(r1 + 0)\nr6 = 0\nagain:\ncall bpf_get_prandom_u32#7\nr6 += {step}\n{test}\nr0 = 1\nexit\n"
    "out:\nr0 = 2\nexit"
)
STORED = (
    "r7 = *(u32 *)(r1 + 0)\nr6 = 0\n*(u64 *)(r10 - 8) = r6\nagain:\ncall bpf_get_prandom_u32#7\n"
    "r6 = *(u64 *)(r10 - 8)\nr6 += 1\n*(u64 *)(r10 - 8) = r6\n{test}\nr0 = 1\nexit"
)
#: LLVM's own registers, or those given anew.
MAKERS = ("given anew", "as they were")


@pytest.fixture(params=MAKERS)
def made(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Machine code after all passes."""

    def refuse(_: object) -> None:
        raise OutOfRegisters

    if request.param == MAKERS[1]:
        monkeypatch.setattr(improve, "Assignment", refuse)
    return shortened


Made = Callable[..., list[str]]


def comparison(lines: list[str]) -> str:
    """The only comparison; registers with other numbers than the code was written with are called by these."""
    (found,) = (line.partition(" goto")[0] for line in lines if line.startswith("if "))
    return found


@pytest.mark.parametrize("cpu", ["v1", "v2", "v3", "v4"])
@pytest.mark.parametrize(
    ("test", "either"),
    [
        ("if r6 > r7 goto small", (">= 7", "< 7")),
        ("if r6 >= r7 goto small", ("> 7", "<= 7")),
        ("if r6 s> r7 goto small", ("s>= 7", "s< 7")),
        ("if r6 s>= r7 goto small", ("s> 7", "s<= 7")),
        ("if r6 == r7 goto small", ("== 7", "!= 7")),
        ("if r6 != r7 goto small", ("!= 7", "== 7")),
        ("if r6 & r7 goto small", ("& 7", "& 7")),
        ("if r7 > r6 goto small", ("> 7", "<= 7")),
    ],
)
def test_a_constant_goes_into_the_comparison(made: Made, test: str, either: tuple[str, str], cpu: str) -> None:
    found = comparison(made(SEVEN.format(test=test), cpu=cpu))
    assert found.endswith(either)
    assert cpu != "v1" or "<" not in found


@pytest.mark.parametrize("cpu", ["v1", "v3"])
def test_a_constant_that_no_comparison_holds_comes_second(made: Made, cpu: str) -> None:
    wide = SEVEN.replace("r6 = 7", "r6 = 0x700000000 ll").format(test="if r6 > r7 goto small")
    lines = made(wide, cpu=cpu)
    (constant,) = (line.split()[0] for line in lines if "0x700000000" in line)
    assert comparison(lines).endswith((f">= {constant}", f"< {constant}"))


@pytest.mark.parametrize("cpu", ["v1", "v3"])
@pytest.mark.parametrize("code", [ROUNDS.replace("{step}", "1"), ROUNDS.replace("{step}", "2"), STORED])
@pytest.mark.parametrize("test", ["if r6 > r7 goto out", "if r7 > r6 goto again", "if r6 != r7 goto again"])
def test_a_count_comes_second(made: Made, code: str, test: str, cpu: str) -> None:
    """Whichever way is taken, and however the pieces are put in order."""
    if code == STORED:
        code += "\nout:\nr0 = 2\nexit"
    turns = test if "again" in test else f"{test}\ngoto again"
    lines = made(code.format(test=turns), cpu=cpu)
    (counted,) = {line.split()[0] for line in lines if line.endswith(("+= 1", "+= 2"))}
    assert comparison(lines).endswith(f" {counted}")


@pytest.mark.parametrize("cpu", ["v1", "v3"])
def test_what_is_known_on_one_way_comes_second(made: Made, cpu: str) -> None:
    lines = made(
        "r7 = *(u32 *)(r1 + 0)\nr6 = *(u32 *)(r1 + 88)\nif r6 != 2 goto on\nr6 = 7\non:\nr7 += 1\nr0 = 1\n"
        "if r6 > r7 goto out\nr0 = r6\nout:\nexit",
        cpu=cpu,
    )
    (known,) = {line.split()[0][1:] for line in lines if line.endswith("= 7")}
    (found,) = (line.partition(" goto")[0] for line in lines if line.startswith("if r") and " 2 " not in line)
    assert found.endswith(f" r{known}")


def test_registers_of_which_nothing_is_known_stay_in_order(made: Made) -> None:
    body = "r7 = *(u32 *)(r1 + 0)\nr6 = *(u32 *)(r1 + 88)\nr0 = 1\nif r6 > r7 goto out\nr0 = 2\nout:\nexit"
    assert count(made(body), "if r") == 1
