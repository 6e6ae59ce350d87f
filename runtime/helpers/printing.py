"""The kernel's printf for programs: `bpf_trace_printk`, `bpf_trace_vprintk` and `bpf_snprintf`.

The formats are those that `bpf_bprintf_prepare` (kernel/bpf/helpers.c) lets through, with the meaning that
lib/vsprintf.c gives them. An address is printed as it is; the kernel disguises those of a plain `%p`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv6Address

from skverdict.runtime.machine.call import Buffer, Call
from skverdict.runtime.machine.environment import HelperFunction
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.memory import AccessError
from skverdict.runtime.machine.semantics import mask, signed

#: Arguments that `bpf_snprintf` and `bpf_trace_vprintk` take at most (MAX_BPRINTF_VARARGS).
MAX_ARGUMENTS = 12
#: Bytes that a printed line can have, the NUL included (MAX_BPRINTF_BUF).
MAX_LINE = 1024

#: A conversion: flags and width, then what is printed. What may follow a pointer or a string, the kernel
#: checks, too.
_CONVERSION = re.compile(
    rb"%(?P<flags>[0+\- ]*)(?P<width>[1-9][0-9]*)?"
    rb"(?P<what>%|p[iI][46]|p[ku]s(?=[\s!-/:-@\[-`{-~]|$)|p[KxsSB]|p(?=[\s!-/:-@\[-`{-~]|$)"
    rb"|s(?=[\s!-/:-@\[-`{-~]|$)|c|l{0,2}[iduxX])"
)
_PLAIN = re.compile(rb"[\x20-\x7e\t-\r\x80-\xff]*")

_LONGEST_STRING = 1024
#: What the kernel makes of a larger width (FIELD_WIDTH_MAX), and digits that suffice to tell.
_WIDEST = (1 << 23) - 1
_WIDTH_DIGITS = 8


def format_text(call: Call, text: bytes, arguments: Sequence[int]) -> bytes:
    """`text` with its conversions filled in. Raises KernelError EINVAL for what the kernel refuses.

    `arguments` are unsigned 64-bit numbers; those that no conversion needs are not looked at.
    """
    if not _PLAIN.fullmatch(text):
        raise KernelError(Errno.EINVAL, "the format has a control character")
    printed, position, used = [], 0, 0
    while (percent := text.find(b"%", position)) >= 0:
        printed.append(text[position:percent])
        found = _CONVERSION.match(text, percent)
        if found is None:
            raise KernelError(Errno.EINVAL, f"no format {text[percent : percent + 8]!r}")
        position = found.end()
        if found["what"] == b"%":
            if found[0] != b"%%":
                raise KernelError(Errno.EINVAL, f"no format {found[0]!r}")
            printed.append(b"%")
            continue
        if used == len(arguments):
            raise KernelError(Errno.EINVAL, f"{found[0]!r} has no argument left")
        printed.append(_convert(call, found, arguments[used]))
        used += 1
    return b"".join([*printed, text[position:]])


def _convert(call: Call, found: re.Match[bytes], argument: int) -> bytes:
    """One argument as the conversion `found` prints it."""
    what, flags = found["what"], found["flags"]
    width = min(int((found["width"] or b"0")[:_WIDTH_DIGITS]), _WIDEST)
    left, zeros = b"-" in flags, b"0" in flags and b"-" not in flags
    if what[-1:] in b"iduxX" and what[:1] != b"p":
        bits = 64 if what.startswith(b"l") else 32
        return _number(argument, chr(what[-1]), bits, flags, width)
    if what == b"c":
        content = bytes([argument & 0xFF])
    elif what in (b"s", b"pks", b"pus"):
        content = _string(call, argument)
    elif what in _ADDRESSES:
        size, show = _ADDRESSES[what]
        content = show(_bytes(call, argument, size)).encode()
    elif what in (b"ps", b"pS", b"pB"):
        # No address here is that of a kernel function, and the kernel prints the number of one it does not
        # know.
        content = b"0x%x" % (argument & mask(64))
    else:
        content = b"%016x" % (argument & mask(64))
    if zeros and what[:1] == b"p" and what not in _ADDRESSES:
        return content.rjust(width, b"0")
    return content.ljust(width) if left else content.rjust(width)


def _number(argument: int, conversion: str, bits: int, flags: bytes, width: int) -> bytes:
    """An integer of `bits` bits, as C prints it."""
    shape = "".join(flag for flag in "-+ 0" if flag.encode() in flags) + (str(width) if width else "")
    if conversion in "id":
        return f"%{shape}d".encode() % signed(argument, bits)
    # Signs are for signed numbers only.
    shape = shape.replace("+", "").replace(" ", "")
    return f"%{shape}{conversion.replace('u', 'd')}".encode() % (argument & mask(bits))


def _bytes(call: Call, address: int, size: int) -> bytes:
    """Memory as the kernel reads it for printing: zeros where there is none."""
    try:
        return call.read(address & mask(64), size)
    except AccessError:
        return bytes(size)


def _string(call: Call, address: int) -> bytes:
    """The text at `address` up to its NUL; nothing if some of it cannot be read."""
    text = bytearray()
    for offset in range(_LONGEST_STRING):
        try:
            byte = call.read((address + offset) & mask(64), 1)
        except AccessError:
            return b""
        if byte == b"\0":
            break
        text += byte
    return bytes(text)


_ADDRESSES: dict[bytes, tuple[int, Callable[[bytes], str]]] = {
    b"pI4": (4, lambda address: ".".join(str(byte) for byte in address)),
    b"pi4": (4, lambda address: ".".join(f"{byte:03d}" for byte in address)),
    b"pI6": (16, lambda address: IPv6Address(address).exploded),
    b"pi6": (16, bytes.hex),
}


def _terminated(text: bytes) -> bytes:
    """A format up to its NUL. Raises KernelError EINVAL if it has none."""
    content, end, _ = text.partition(b"\0")
    if not end:
        raise KernelError(Errno.EINVAL, "the format has no NUL at its end")
    return content


def _words(call: Call, data: bytes) -> list[int]:
    """The arguments in an array of u64. Raises KernelError EINVAL for one of a wrong size."""
    if len(data) % 8 or len(data) > MAX_ARGUMENTS * 8:
        raise KernelError(Errno.EINVAL, f"arguments of {len(data)} bytes")
    return [int.from_bytes(data[at : at + 8], call.memory.order) for at in range(0, len(data), 8)]


def _print(call: Call, text: bytes, arguments: Sequence[int]) -> int:
    """Print a line; the length that it would have without a limit."""
    line = format_text(call, _terminated(text), arguments)
    shown = line[: MAX_LINE - 1].decode(errors="backslashreplace")
    call.environment.printed.append(shown.removesuffix("\n"))
    return len(line)


def trace_printk(call: Call, text: bytes, arguments: Sequence[int]) -> int:
    return _print(call, text, arguments)


def trace_vprintk(call: Call, text: bytes, data: bytes) -> int:
    return _print(call, text, _words(call, data))


def snprintf(call: Call, target: Buffer, text: bytes, data: bytes) -> int:
    """The length that the text would have without a limit, its NUL included."""
    content = format_text(call, text, _words(call, data)) + b"\0"
    if target.size:
        target.write(content[: target.size - 1] + b"\0" if len(content) > target.size else content)
    return len(content)


FUNCTIONS: dict[str, HelperFunction] = {
    "bpf_trace_printk": trace_printk,
    "bpf_trace_vprintk": trace_vprintk,
    "bpf_snprintf": snprintf,
}
