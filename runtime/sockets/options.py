"""Socket options that sock_ops programs read and set (`bpf_getsockopt`, `bpf_setsockopt`).

Which there are, and what they take, is from `sol_socket_sockopt`, `sol_tcp_sockopt`, `sol_ip_sockopt` and
`sol_ipv6_sockopt` in net/core/filter.c (Linux 6.1, 6.12 and 7.2) and from what these lead to. Buffers, the low-water
mark, SO_MARK, SO_PRIORITY, TCP_MAXSEG and what callbacks are asked for act on the model. Others are kept and can be
read again, and nothing comes of them, since nothing here depends on time, on how full a network is or on where
packets go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

from skverdict.dsl.catalogue.programs import KERNELS
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.sockets.address import AF_INET, AF_INET6, mapped_ip4
from skverdict.runtime.sockets.errors import SimulationError
from skverdict.runtime.sockets.state import State

if TYPE_CHECKING:
    from skverdict.runtime.sockets.tcp import TcpSocket

SOL_IP, SOL_SOCKET, SOL_TCP, SOL_IPV6 = 0, 1, 6, 41

#: Bytes of an option that is a number, which is signed.
INT = 4

#: Largest SO_SNDBUF and SO_RCVBUF that can be asked for (net.core.wmem_max and rmem_max), by kernel, and the least
#: that Linux sets (SOCK_MIN_SNDBUF and SOCK_MIN_RCVBUF). It doubles what it is asked for.
MOST_BUFFER = {"6.1": 212_992, "6.12": 212_992, "7.2": 4 << 20}
LEAST_SEND_BUFFER, LEAST_RECEIVE_BUFFER = 4608, 2304
#: How far Linux lets a receive buffer grow (the last of net.ipv4.tcp_rmem).
_MOST_RECEIVE_BUFFER = 6 << 20

#: A tick of Debian's kernels (CONFIG_HZ is 250). Timers that programs set have 2 to 50 of them.
_TICK_US = 4000
_LEAST_TICKS, _MOST_TICKS = 2, 50

_U32, _LARGEST = 0xFFFFFFFF, 0x7FFFFFFF
_CONGESTION_CONTROLS = (b"cubic", b"reno")
_LOOPBACK_DEVICE = b"lo"
_LONGEST_NAME = 15
#: Bytes that the options and the time stamp take of a segment that has user's size (TCPOLEN_TSTAMP_ALIGNED).
TIME_STAMP = 12

#: TCP_NODELAY, TCP_MAXSEG and TCP_SAVE_SYN, which more than one place looks at.
NO_DELAY, MAXIMUM_SEGMENT, SAVE_SYN = (SOL_TCP, 1), (SOL_TCP, 2), (SOL_TCP, 27)

Keep = Callable[["TcpSocket", int], int]


def doubled(size: int, least: int, kernel: str) -> int:
    """The size that a buffer gets when `size` bytes are asked for."""
    return max(2 * min(size & _U32, MOST_BUFFER[kernel]), least)


def _invalid(what: str) -> KernelError:
    return KernelError(Errno.EINVAL, what)


def _as_it_is(socket: TcpSocket, value: int) -> int:
    return value


def _flag(socket: TcpSocket, value: int) -> int:
    return int(value != 0)


def _between(least: int, most: int) -> Keep:
    def keep(socket: TcpSocket, value: int) -> int:
        if not least <= value <= most:
            raise _invalid(f"{value} is not between {least} and {most}")
        return value

    return keep


def _send_buffer(socket: TcpSocket, value: int) -> int:
    return doubled(value, LEAST_SEND_BUFFER, socket.kernel.settings.kernel)


def _receive_buffer(socket: TcpSocket, value: int) -> int:
    return doubled(value, LEAST_RECEIVE_BUFFER, socket.kernel.settings.kernel)


def _low_water(socket: TcpSocket, value: int) -> int:
    """At most half of what may wait, but for a socket that is yet to be accepted and has no file."""
    value = _LARGEST if value < 0 else value
    most = _LARGEST if socket.state is State.SYN_RECV else _MOST_RECEIVE_BUFFER // 2
    return min(value, most) or 1


def _device(socket: TcpSocket, value: int) -> int:
    if value < 0:
        raise _invalid(f"{value} is no number of a device")
    return value


def _rehash(socket: TcpSocket, value: int) -> int:
    """-1 asks for what is usual."""
    return 1 if value == -1 else _between(0, 1)(socket, value)


def _segment(socket: TcpSocket, value: int) -> int:
    return value and _between(88, 32767)(socket, value)


def _window_clamp(socket: TcpSocket, value: int) -> int:
    if not value and socket.state is not State.CLOSE:
        raise _invalid("the window of a connection is not taken away")
    return max(value, LEAST_RECEIVE_BUFFER // 2) if value else 0


def _initial_window(socket: TcpSocket, value: int) -> int:
    if value <= 0 or socket.has_sent:
        raise _invalid("an initial window is more than 0, and set before anything is sent")
    return value


def _timer(socket: TcpSocket, value: int) -> int:
    """Microseconds, kept in whole ticks."""
    ticks = -(-(value & _U32) // _TICK_US)
    if not _LEAST_TICKS <= ticks <= _MOST_TICKS:
        raise _invalid(f"{value} us are less than {_LEAST_TICKS} ticks or more than {_MOST_TICKS}")
    return ticks * _TICK_US


def _type_of_service(socket: TcpSocket, value: int) -> int:
    """Two of the bits are TCP's own."""
    return value & 0xFC


def _traffic_class(socket: TcpSocket, value: int) -> int:
    """-1 asks for what is usual."""
    return 0 if value == -1 else _between(0, 0xFF)(socket, value) & 0xFC


class Option(NamedTuple):
    """An option that is a number. `keep` gives what is kept of a value, or raises KernelError for one that does not
    go. That is kept in the socket's `attribute`, or beside others, where it is `first` until it is set. Programs
    may read it and set it from these kernels on, None for never."""

    name: str
    keep: Keep
    first: int = 0
    attribute: str = ""
    reads: str | None = KERNELS[0]
    sets: str | None = KERNELS[0]


#: By level and number.
OPTIONS: dict[tuple[int, int], Option] = {
    (SOL_SOCKET, 2): Option("SO_REUSEADDR", _flag, 1),
    (SOL_SOCKET, 7): Option("SO_SNDBUF", _send_buffer, attribute="send_buffer"),
    (SOL_SOCKET, 8): Option("SO_RCVBUF", _receive_buffer, attribute="receive_buffer"),
    (SOL_SOCKET, 9): Option("SO_KEEPALIVE", _flag),
    (SOL_SOCKET, 12): Option("SO_PRIORITY", lambda _, value: value & _U32, attribute="priority"),
    (SOL_SOCKET, 15): Option("SO_REUSEPORT", _flag),
    (SOL_SOCKET, 18): Option("SO_RCVLOWAT", _low_water, attribute="low_water"),
    (SOL_SOCKET, 36): Option("SO_MARK", lambda _, value: value & _U32, attribute="mark"),
    (SOL_SOCKET, 47): Option("SO_MAX_PACING_RATE", _as_it_is, -1),
    (SOL_SOCKET, 62): Option("SO_BINDTOIFINDEX", _device),
    (SOL_SOCKET, 74): Option("SO_TXREHASH", _rehash, 1),
    (SOL_SOCKET, 1009): Option("SK_BPF_CB_FLAGS", _between(0, 1), reads="7.2", sets="7.2"),
    NO_DELAY: Option("TCP_NODELAY", _flag),
    MAXIMUM_SEGMENT: Option("TCP_MAXSEG", _segment),
    (SOL_TCP, 4): Option("TCP_KEEPIDLE", _between(1, 32767), 7200),
    (SOL_TCP, 5): Option("TCP_KEEPINTVL", _between(1, 32767), 75),
    (SOL_TCP, 6): Option("TCP_KEEPCNT", _between(1, 127), 9),
    (SOL_TCP, 7): Option("TCP_SYNCNT", _between(1, 127), 6),
    (SOL_TCP, 10): Option("TCP_WINDOW_CLAMP", _window_clamp),
    (SOL_TCP, 16): Option("TCP_THIN_LINEAR_TIMEOUTS", _between(0, 1)),
    (SOL_TCP, 18): Option("TCP_USER_TIMEOUT", _between(0, _LARGEST)),
    (SOL_TCP, 25): Option("TCP_NOTSENT_LOWAT", _as_it_is),
    SAVE_SYN: Option("TCP_SAVE_SYN", _between(0, 2)),
    (SOL_TCP, 44): Option("TCP_RTO_MAX_MS", _between(1000, 120_000), 120_000, reads="7.2", sets="7.2"),
    (SOL_TCP, 1001): Option("TCP_BPF_IW", _initial_window, attribute="congestion_window", reads=None),
    (SOL_TCP, 1002): Option(
        "TCP_BPF_SNDCWND_CLAMP", _between(1, _LARGEST), attribute="slow_start_threshold", reads=None
    ),
    (SOL_TCP, 1003): Option("TCP_BPF_DELACK_MAX", _timer, 200_000, reads="7.2"),
    (SOL_TCP, 1004): Option("TCP_BPF_RTO_MIN", _timer, 200_000, reads="7.2"),
    (SOL_TCP, 1008): Option(
        "TCP_BPF_SOCK_OPS_CB_FLAGS", _between(0, 0x7F), attribute="callback_flags", reads="6.12", sets="6.12"
    ),
    (SOL_IP, 1): Option("IP_TOS", _type_of_service),
    (SOL_IPV6, 67): Option("IPV6_TCLASS", _traffic_class),
    (SOL_IPV6, 70): Option("IPV6_AUTOFLOWLABEL", _flag, 1),
}
_CONGESTION, _BIND_TO_DEVICE, _SAVED_SYN = (SOL_TCP, 13), (SOL_SOCKET, 25), (SOL_TCP, 28)
_WINDOW_CLAMP = (SOL_TCP, 10)
#: TCP_BPF_SYN, TCP_BPF_SYN_IP and TCP_BPF_SYN_MAC: the request for a connection from one of its headers on.
SYN_MAC = 1007
SYN = tuple((SOL_TCP, number) for number in (1005, 1006, SYN_MAC))


def _check(socket: TcpSocket, key: tuple[int, int], length: int, since: str | None) -> None:
    """Raise KernelError unless option `key` is there for the socket, from `since` on, in `length` bytes."""
    level, number = key
    if since is None or KERNELS.index(socket.kernel.settings.kernel) < KERNELS.index(since):
        raise _invalid(f"option {number} of level {level} is not for programs on this kernel")
    ip4 = socket.family == AF_INET or not any(socket.local.words) or mapped_ip4(socket.local)
    if (level == SOL_IP and not ip4) or (level == SOL_IPV6 and socket.family != AF_INET6):
        raise _invalid(f"{socket.name} has no options of level {level}")
    if length != INT:
        raise _invalid(f"option {number} of level {level} has {INT} bytes, not {length}")


def read(socket: TcpSocket, level: int, number: int, length: int, order: Literal["little", "big"]) -> bytes:
    """What the option is, in `length` bytes at most. Raises KernelError."""
    key = (level, number)
    if key == _CONGESTION and length > 1:
        return socket.congestion_control[: length - 1].ljust(length, b"\0")
    if key == _SAVED_SYN:
        return _saved_syn(socket, length)
    option = OPTIONS.get(key)
    if option is None:
        raise _invalid(f"option {number} of level {level} cannot be read")
    _check(socket, key, length, option.reads)
    if key == _WINDOW_CLAMP and key not in (socket.options or ()) and socket.state is not State.CLOSE:
        raise SimulationError("TCP_WINDOW_CLAMP hangs on the machine's memory until it is set")
    if key == MAXIMUM_SEGMENT:
        value = socket.mss_cache
    elif option.attribute:
        value = getattr(socket, option.attribute)
    else:
        value = (socket.options or {}).get(key, option.first)
    return (value & _U32).to_bytes(INT, order)


def write(socket: TcpSocket, level: int, number: int, content: bytes, order: Literal["little", "big"]) -> None:
    """Set the option. Raises KernelError."""
    key = (level, number)
    if key == _CONGESTION:
        _set_congestion_control(socket, content)
        return
    if key == _BIND_TO_DEVICE:
        if _text(content) not in (b"", _LOOPBACK_DEVICE):
            raise KernelError(Errno.ENODEV, f"there is no device {_text(content)!r}")
        return
    if key == _SAVED_SYN and len(content) >= INT:
        raise KernelError(Errno.ENOPROTOOPT, "a kept SYN can only be read")
    option = OPTIONS.get(key)
    if option is None:
        raise _invalid(f"option {number} of level {level} cannot be set")
    _check(socket, key, len(content), option.sets)
    value = option.keep(socket, int.from_bytes(content, order, signed=True))
    if option.attribute:
        setattr(socket, option.attribute, value)
    else:
        socket.options = {**(socket.options or {}), key: value}


def _saved_syn(socket: TcpSocket, length: int) -> bytes:
    """The first `length` bytes of the request for the connection, which stays there."""
    content = b"".join(socket.saved_syn or ())
    if socket.saved_syn is None or length > len(content):
        raise _invalid(f"{len(content)} bytes of a SYN are kept, not {length}")
    return content[:length]


def _text(content: bytes) -> bytes:
    return content[:_LONGEST_NAME].partition(b"\0")[0]


def _set_congestion_control(socket: TcpSocket, content: bytes) -> None:
    name = _text(content)
    if len(content) <= 1:
        raise _invalid("a congestion control has a name")
    if name == b"cdg":
        raise KernelError(Errno.ENOTSUPP, "programs may not ask for cdg")
    if name not in _CONGESTION_CONTROLS:
        raise KernelError(Errno.ENOENT, f"there is no congestion control {name!r}")
    socket.congestion_control = name
