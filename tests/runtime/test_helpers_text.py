"""Helpers that print, and that read numbers from text."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.runtime.helpers import printing, strings
from skverdict.runtime.machine.call import Buffer, Call
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.memory import Bytes, Memory

from tests.runtime.machine_kit import M64, TestContext, environment


def new_call() -> Call:
    memory = Memory("little")
    return Call(TestContext(), environment(), memory, lambda slot, arguments: 0)


def text(call: Call, content: bytes) -> int:
    """The address of memory with `content`."""
    return call.memory.add(Bytes("text", bytearray(content), "little"))


def buffer(call: Call, size: int) -> Buffer:
    return Buffer(call.memory, text(call, b"\xee" * size), size)


@pytest.mark.parametrize(
    ("form", "arguments", "expected"),
    [
        (b"plain 100%%", [], b"plain 100%"),
        (b"%d %i %u", [-1 & M64, 5, -1 & M64], b"-1 5 4294967295"),
        (b"%ld %llu", [-7 & M64, M64], b"-7 18446744073709551615"),
        (b"%d", [1 << 32], b"0"),
        (b"%x %X %lx", [0xABC, 0xABC, 1 << 40], b"abc ABC 10000000000"),
        (b"[%5d] [%-5d] [%05d] [%+d] [% d]", [42, 42, 42, 42, 42], b"[   42] [42   ] [00042] [+42] [ 42]"),
        (b"[%05d] [%+5u] [%-05d]", [-42 & M64, 42, 42], b"[-0042] [   42] [42   ]"),
        (b"[%08x]", [0xBEEF], b"[0000beef]"),
        (b"%c%c", [ord("o"), ord("k")], b"ok"),
        (b"[%3c] [%-3c]", [ord("a"), ord("b")], b"[  a] [b  ]"),
        (b"%px", [0xDEADBEEF], b"00000000deadbeef"),
        (b"%pS", [0xDEADBEEF], b"0xdeadbeef"),
        ("ünïcode %d".encode(), [1], "ünïcode 1".encode()),
        (b"%d\t%d\n", [1, 2], b"1\t2\n"),
    ],
)
def test_formats(form: bytes, arguments: Sequence[int], expected: bytes) -> None:
    assert printing.format_text(new_call(), form, arguments) == expected


@pytest.mark.parametrize(
    ("form", "content", "expected"),
    [
        (b"<%s>", b"GET\0more", b"<GET>"),
        (b"<%6s>", b"GET\0", b"<   GET>"),
        (b"<%pks,>", b"GET\0", b"<GET,>"),
        (b"%pI4", bytes((127, 0, 0, 1)), b"127.0.0.1"),
        (b"%pi4", bytes((127, 0, 0, 1)), b"127.000.000.001"),
        (b"%pI6", bytes(15) + b"\1", b"0000:0000:0000:0000:0000:0000:0000:0001"),
        (b"%pi6", bytes(15) + b"\1", b"00000000000000000000000000000001"),
    ],
)
def test_formats_that_follow_a_pointer(form: bytes, content: bytes, expected: bytes) -> None:
    call = new_call()
    assert printing.format_text(call, form, [text(call, content)]) == expected


def test_what_cannot_be_read_prints_as_nothing() -> None:
    call = new_call()
    assert printing.format_text(call, b"<%s> %pI4", [0, 0]) == b"<> 0.0.0.0"
    # The memory ends before the text does.
    assert printing.format_text(call, b"<%s>", [text(call, b"GET")]) == b"<>"


@pytest.mark.parametrize(
    "form",
    [b"%", b"%q", b"%f", b"%.2d", b"%#x", b"%hd", b"%llld", b"%p4", b"%pI5", b"%sx", b"%5%", b"\x01", b"%d"],
)
def test_formats_that_the_kernel_refuses(form: bytes) -> None:
    with pytest.raises(KernelError) as caught:
        printing.format_text(new_call(), form, [])
    assert caught.value.number is Errno.EINVAL


@given(number=st.integers(0, M64), width=st.integers(0, 20), flags=st.sampled_from(["", "-", "0", "+", " "]))
def test_signed_numbers_print_as_in_python(number: int, width: int, flags: str) -> None:
    shape = f"%{flags}{width or ''}"
    value = (number + 2**31) % 2**32 - 2**31
    printed = printing.format_text(new_call(), f"{shape}d".encode(), [number])
    assert printed.decode() == f"{shape}d" % value


def test_printing_adds_a_line_and_gives_its_length() -> None:
    call = new_call()
    assert printing.trace_printk(call, b"port %d\n\0", (443,)) == 9
    assert printing.trace_vprintk(call, b"%d-%d\0", b"\1" + bytes(7) + b"\2" + bytes(7)) == 3
    assert call.environment.printed == ["port 443", "1-2"]


@pytest.mark.parametrize("data", [bytes(7), bytes(13 * 8)])
def test_arguments_are_up_to_twelve_words(data: bytes) -> None:
    with pytest.raises(KernelError) as caught:
        printing.trace_vprintk(new_call(), b"\0", data)
    assert caught.value.number is Errno.EINVAL


def test_a_format_has_an_end() -> None:
    with pytest.raises(KernelError) as caught:
        printing.trace_printk(new_call(), b"no end", ())
    assert caught.value.number is Errno.EINVAL


@pytest.mark.parametrize(
    ("size", "content"), [(8, b"ab 7\0\xee\xee\xee"), (5, b"ab 7\0"), (3, b"ab\0"), (0, b"")]
)
def test_snprintf_cuts_to_the_buffer_and_gives_the_full_length(size: int, content: bytes) -> None:
    call = new_call()
    target = buffer(call, size)
    assert printing.snprintf(call, target, b"ab %d", b"\7" + bytes(7)) == 5
    assert target.read() == content


BASES = {8: "{:o}", 10: "{:d}", 16: "{:x}"}


@given(
    number=st.integers(-(2**63), 2**63 - 1),
    base=st.sampled_from([8, 10, 16]),
    before=st.sampled_from(["", " ", "\t \n"]),
    after=st.sampled_from(["", " ", "g", "\0" + "1"]),
)
def test_a_number_in_text_is_read(number: int, base: int, before: str, after: str) -> None:
    call = new_call()
    result = buffer(call, 8)
    written = before + ("-" if number < 0 else "") + BASES[base].format(abs(number))
    assert strings.strtol(call, (written + after).encode(), base, result) == len(written)
    assert int.from_bytes(result.read(), "little", signed=True) == number


@pytest.mark.parametrize(
    ("content", "flags", "number", "consumed"),
    [
        (b"0x1f", 0, 31, 4),
        (b"0X1F", 16, 31, 4),
        (b"017", 0, 15, 3),
        (b"0", 0, 0, 1),
        (b"0xg", 0, 0, 1),
        (b"089", 0, 0, 1),
        (b"12ab", 10, 12, 2),
        (b"\xa07", 10, 7, 2),
    ],
)
def test_prefixes_and_ends(content: bytes, flags: int, number: int, consumed: int) -> None:
    call = new_call()
    result = buffer(call, 8)
    assert strings.strtoul(call, content, flags, result) == consumed
    assert int.from_bytes(result.read(), "little") == number


@pytest.mark.parametrize(
    ("content", "flags", "number"),
    [
        (b"", 10, Errno.EINVAL),
        (b" ", 10, Errno.EINVAL),
        (b"x", 10, Errno.EINVAL),
        (b"-", 10, Errno.EINVAL),
        (b"+1", 10, Errno.EINVAL),
        (b"0x", 16, Errno.EINVAL),
        (b"1", 2, Errno.EINVAL),
        (b"1", 32 | 10, Errno.EINVAL),
        (b"9223372036854775808", 10, Errno.ERANGE),
        (b"-9223372036854775809", 10, Errno.ERANGE),
        (b"18446744073709551616", 10, Errno.ERANGE),
    ],
)
def test_text_without_a_number_leaves_zero(content: bytes, flags: int, number: Errno) -> None:
    call = new_call()
    result = buffer(call, 8)
    with pytest.raises(KernelError) as caught:
        strings.strtol(call, content, flags, result)
    assert caught.value.number is number
    assert result.read() == bytes(8)


def test_an_unsigned_number_has_no_sign() -> None:
    call = new_call()
    assert strings.strtoul(call, b"18446744073709551615", 10, buffer(call, 8)) == 20
    with pytest.raises(KernelError) as caught:
        strings.strtoul(call, b"-1", 10, buffer(call, 8))
    assert caught.value.number is Errno.EINVAL


@given(left=st.binary(max_size=6), right=st.binary(max_size=6).map(lambda text: text.replace(b"\0", b"")))
def test_comparison_of_text(left: bytes, right: bytes) -> None:
    start, other = left.partition(b"\0")[0], right
    if b"\0" not in left:
        # Text without an end is compared as far as it goes.
        other = right[: len(left)]
    expected = (start > other) - (start < other)
    assert strings.strncmp(new_call(), left, right) == expected
