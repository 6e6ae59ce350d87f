"""Cases of conformance suites: how files are read, what comes of them, and the command for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.runtime.cli import main
from skverdict.runtime.conformance.case import CaseError, read_case
from skverdict.runtime.conformance.suite import FAILED, PASSED, UNSUPPORTED, run_file


def case(asm: str, result: str = "", mem: str = "", **sections: str) -> bytes:
    """A file; instructions are divided by semicolons."""
    parts = {"asm": asm.replace(";", "\n"), "mem": mem, "result": result, **sections}
    return "\n".join(f"-- {name}\n{text}" for name, text in parts.items() if text).encode()


@pytest.mark.parametrize(
    ("asm", "result"),
    [
        ("mov32 %r0, 7;sub32 %r0, 9;exit", "0xfffffffe"),
        ("mov %r0, 7;sub %r0, 9;exit", "-2"),
        ("lddw %r0, 0x500000006;mov32 %r0, %r0;exit", "6"),
        ("mov %r0, 100;mov %r1, 0;div %r0, %r1;exit", "0"),
        ("mov %r0, 100;mov %r1, 0;mod %r0, %r1;exit", "100"),
        ("lddw %r0, 0x700000064;mov %r1, 0;mod32 %r0, %r1;exit", "0x64"),
        ("mov %r0, -100;sdiv %r0, 7;exit", "-14"),
        ("mov %r0, -100;smod %r0, 7;exit", "-2"),
        ("lddw %r0, 0x8000000000000000;sdiv %r0, -1;exit", "0x8000000000000000"),
        ("mov %r0, 1;lsh %r0, 67;exit", "8"),
        ("mov32 %r0, -16;arsh32 %r0, 34;exit", "0xfffffffc"),
        ("mov %r1, 0x1ff;movsx864 %r0, %r1;exit", "-1"),
        ("mov %r1, 0x8000;movsx1632 %r0, %r1;exit", "0xffff8000"),
        ("lddw %r0, 0x1122334455667788;be32 %r0;exit", "0x88776655"),
        ("lddw %r0, 0x1122334455667788;le16 %r0;exit", "0x7788"),
        ("lddw %r0, 0x1122334455667788;bswap64 %r0;exit", "0x8877665544332211"),
        ("mov %r0, 3;lddw %r1, 0x100000000;jsgt32 %r1, -1, +1;mov %r0, 4;exit", "3"),
        ("mov %r0, 0;jset %r0, 1, +1;mov %r0, 5;exit", "5"),
        ("mov %r0, 0;ja32 end;mov %r0, 1;end:;exit", "0"),
        ("stw [%r10-8], -2;stw [%r10-4], 1;ldxsw %r0, [%r10-8];exit", "-2"),
        ("stdw [%r10-8], 40;mov %r1, 2;lock fetch add [%r10-8], %r1;mov %r0, %r1;exit", "40"),
        ("stdw [%r10-8], 40;mov %r0, 40;mov %r1, 9;lock cmpxchg32 [%r10-8], %r1;exit", "40"),
        ("mov %r1, 6;call local twice;exit;twice:;mov %r0, %r1;add %r0, %r1;exit", "12"),
        # Helper 8 tells the CPU; the registers of arguments are lost behind it, r6 is not.
        ("mov %r6, 30;call 8;add %r0, %r6;exit", "30"),
    ],
)
def test_a_program_that_gives_what_it_should_passes(asm: str, result: str) -> None:
    assert run_file(case(asm, result), "one.data") == ("one.data", PASSED, "")


def test_memory_is_in_r1_and_its_length_in_r2() -> None:
    program = "ldxh %r0, [%r1+1];lsh %r0, 8;or %r0, %r2;exit"
    assert run_file(case(program, "0x030205", mem="01 02 # byte 1\n03 04\n0x5"), "m").verdict == PASSED
    assert run_file(case("stb [%r1], 9;ldxb %r0, [%r1];exit", "9", mem="00"), "m").verdict == PASSED
    assert run_file(case("mov %r0, %r2;exit", "0"), "m").verdict == PASSED


@pytest.mark.parametrize(
    ("raw", "result"),
    [
        ("0x0000002a000000b7\n0x0000000000000095", "42"),
        ("b7 00 00 00 2a 00 00 00\n95 00 00 00 00 00 00 00", "42"),
        ("180388626615 149", "42"),
        ("0x5566778800000018 0x1122334400000000 0x95", "0x1122334455667788"),
    ],
)
def test_numbers_and_bytes_count_more_than_assembly(raw: str, result: str) -> None:
    assert run_file(case("mov %r0, 1;exit", result, raw=raw), "raw").verdict == PASSED


@pytest.mark.parametrize(
    "program",
    [
        {"asm": "ldxb %r0, [%r10+8];exit"},
        {"asm": "mov %r0, 1"},
        {"asm": "mov %r12, 1;exit"},
        {"asm": "loop:;ja loop"},
        {"asm": "frob %r1;exit"},
        {"asm": "call %r2;exit"},
        {"asm": "", "raw": "b7 00 00 00 2a"},
        {"asm": "", "raw": "bc 00 00 00 01 00 00 00 95 00 00 00 00 00 00 00"},
    ],
)
def test_a_program_that_must_be_refused_passes_if_it_is(program: dict[str, str]) -> None:
    content = case(**program) + b"\n-- error\nFailed to load: whatever they say"
    assert run_file(content, "refused").verdict == PASSED


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (case("mov %r0, 1;exit", "2"), "it gave 0x1, not 0x2"),
        (case("mov %r0, 1;exit", error="nothing"), "it ran and gave 0x1, where it must be refused"),
        (case("exit", "2"), "r0 is used before it is written"),
        (case("frob %r1", "2"), "f:2:1: there is no instruction frob"),
        (case("exit"), "f:1: the file has neither a result nor an error"),
        (case("", "2"), "f:1: the file has no instructions"),
        (case("exit", "two"), "f:4: two is no number of 64 bits"),
        (case("exit", "1\n2"), "f:5: section result has 2 lines, not one"),
        (case("exit", "0x10000000000000000"), "f:4: 0x10000000000000000 is no number of 64 bits"),
        (case("exit", "1", mem="0g"), "f:4: 0g is no byte in hexadecimal"),
        (case("", "1", raw="0x95 -1"), "f:4: -1 is no number of 64 bits"),
        (b"-- speed\n", "f:1: there is no section speed"),
        (b"exit\n-- asm", "f:1: this line is in no section"),
    ],
)
def test_what_fails_tells_why(content: bytes, reason: str) -> None:
    outcome = run_file(content, "f")
    assert outcome.verdict == FAILED
    assert outcome.reason.startswith(reason)


@pytest.mark.parametrize(
    "asm", ["call %r2;exit", "call runtime 3;exit", "call 35;exit", "mov %r0, 0;call 153;exit"]
)
def test_what_the_simulator_does_not_have_is_unsupported(asm: str) -> None:
    assert run_file(case(asm, "0"), "f").verdict == UNSUPPORTED


def test_sections_for_others_are_skipped() -> None:
    content = case("mov %r0, 4;exit", "4") + b"\r\n-- no register offset\ncall\n-- c\nint main() {}\n"
    assert run_file(content, "f").verdict == PASSED


@given(st.binary(max_size=80), st.sampled_from([b"", b"-- asm\n", b"-- raw\n", b"-- result\n0x1\n-- mem\n"]))
def test_any_bytes_are_a_case_or_a_named_error(content: bytes, head: bytes) -> None:
    try:
        read_case(head + content, "any")
    except CaseError as error:
        assert str(error).startswith("any:")


# The command


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """Two cases, one of which passes, and a file that is none."""
    (tmp_path / "good.data").write_bytes(case("mov %r0, 3;exit", "3"))
    (tmp_path / "through.data").write_bytes(case("call %r2;exit", "3"))
    (tmp_path / "README").write_bytes(b"not a case")
    return tmp_path


def test_the_command_counts_and_lists(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", str(suite)]) == 0
    shown = capsys.readouterr().out
    assert [line.split() for line in shown.splitlines()[2:5]] == [
        ["passed", "1"],
        ["failed", "0"],
        ["unsupported", "1"],
    ]
    assert "through.data" in shown
    assert "good.data" not in shown
    assert main(["conformance", "--all", str(suite)]) == 0
    assert "good.data" in capsys.readouterr().out


def test_the_command_fails_with_a_case(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (suite / "bad.data").write_bytes(case("mov %r0, 3;exit", "4"))
    assert main(["conformance", "--json", str(suite)]) == 1
    outcomes = json.loads(capsys.readouterr().out)
    assert [(each["case"], each["verdict"]) for each in outcomes] == [
        ("bad.data", "failed"),
        ("good.data", "passed"),
        ("through.data", "unsupported"),
    ]
    assert outcomes[0]["reason"] == "it gave 0x3, not 0x4"


def test_a_folder_without_cases_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"skverdict: {tmp_path}: no .data files\n"
    assert main(["conformance", str(tmp_path / "none")]) == 1
