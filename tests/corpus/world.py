"""Scenarios on a backend: the simulator, or a kernel, which offer the same."""

from __future__ import annotations

import errno
import os
from array import array
from typing import Any

from tests.corpus.shown_headers import shown_header, shown_packet

PROGRAMS = ("", "parser", "verdict", "skb_verdict", "msg_verdict")
ATTACH = {
    "parser": "parser",
    "pulling_parser": "parser",
    "verdict": "verdict",
    "dropping_verdict": "verdict",
    "skb_verdict": "verdict",
    "msg_verdict": "msg_verdict",
    "dropping_msg_verdict": "msg_verdict",
    "sock_ops": "verdict",
    "other_ops": "verdict",
}

#: `enum` of the callbacks of sock_ops, include/uapi/linux/bpf.h.
CALLBACKS = (
    "void",
    "timeout_init",
    "rwnd_init",
    "tcp_connect",
    "active_established",
    "passive_established",
    "needs_ecn",
    "base_rtt",
    "rto",
    "retrans",
    "state",
    "tcp_listen",
    "rtt",
    "parse_hdr_opt",
    "hdr_opt_len",
    "write_hdr_opt",
)

#: The helpers that headers.c may have called at a callback, by what it calls their results.
_HEADER_HELPERS = ("set", "reserve", "again", "store", "another", "load", "wrote")

#: How much of a flood is written at a time, in bytes.
FLOOD = 1 << 16
#: How long many bytes may make no progress before that counts as the end, in waits of so many seconds.
PATIENCE = 20
PAUSE = 0.05


def pattern(length: int) -> bytes:
    """`length` bytes that show where they are moved: the numbers from 0, 4 bytes each."""
    numbers = array("I", range(-(-length // 4)))
    numbers.byteswap()
    return numbers.tobytes()[:length]


def _key(key: Any) -> Any:
    """A key as JSON has it: a number, or the members of a struct."""
    return key if isinstance(key, int) else list(key.values())


def _text(content: bytes) -> str:
    return content.decode("latin1") or "<EOF>"


class BackendWorld:
    """Carries out the verbs of a scenario on `backend`, which has one of the objects in `lab/`."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.sockets: dict[str, Any] = {}
        self.cookies: dict[int, str] = {}
        self.links: dict[str, Any] = {}

    def act(self, verb: str, *arguments: Any) -> Any:
        try:
            return getattr(self, f"do_{verb}")(*arguments)
        except OSError as error:
            assert error.errno is not None
            return errno.errorcode.get(error.errno, error.errno)

    def _add(self, *sockets: Any) -> None:
        for socket in sockets:
            self.sockets[socket.name] = socket
            self.cookies[socket.cookie] = socket.name

    # Programs

    def do_attach(self, map_name: str, program: str, place: str = "") -> str:
        self.backend.attach(map_name, **{place or ATTACH[program]: program})
        return "ok"

    def do_detach(self, map_name: str, program: str) -> str:
        self.backend.detach(map_name, **{ATTACH[program]: program})
        return "ok"

    def do_link(self, name: str, map_name: str, program: str, place: str = "") -> str:
        self.links[name] = self.backend.link(map_name, **{place or ATTACH[program]: program})
        return "ok"

    def do_update_link(self, name: str, program: str, old: str | None = None) -> str:
        self._link(name).update(program, old)
        return "ok"

    def do_detach_link(self, name: str) -> str:
        self._link(name).detach()
        return "ok"

    def do_close_link(self, name: str) -> str:
        self._link(name).close()
        return "ok"

    def _link(self, name: str) -> Any:
        """The link that was made under that name; one that was refused has no descriptor."""
        if name not in self.links:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self.links[name]

    def do_attach_cgroup(self, program: str) -> str:
        self.backend.attach_cgroup(program)
        return "ok"

    def do_detach_cgroup(self, program: str) -> str:
        self.backend.detach_cgroup(program)
        return "ok"

    # Sockets

    def do_pair(self, client: str, server: str, options: dict[str, Any] | None = None) -> None:
        self._add(*self.backend.tcp_pair(names=(client, server), **(options or {})))

    def do_connect(
        self, listener: str, client: str, server: str, options: dict[str, Any] | None = None
    ) -> None:
        to = self.sockets[listener]
        self._add(*self.backend.tcp_pair(names=(client, server), listener=to, **(options or {})))

    def do_listen(self, name: str, options: dict[str, Any] | None = None) -> None:
        self._add(self.backend.tcp_listener(name=name, **(options or {})))

    def do_tcp(self, name: str) -> None:
        self._add(self.backend.tcp_socket(name=name))

    def do_udp(self, one: str, other: str, options: dict[str, Any] | None = None) -> None:
        self._add(*self.backend.udp_pair(names=(one, other), **(options or {})))

    def do_udp_socket(self, name: str, options: dict[str, Any] | None = None) -> None:
        self._add(self.backend.udp_socket(name=name, **(options or {})))

    def do_unix(self, one: str, other: str, kind: str) -> None:
        self._add(*self.backend.unix_pair(kind, names=(one, other)))

    # Maps

    def do_put(self, map_name: str, key: Any, socket: str, flags: int = 0) -> str:
        self.backend.maps[map_name].update(key, self.sockets[socket], flags)
        return "ok"

    def do_get(self, map_name: str, key: Any) -> str:
        return f"cookie of {self.cookies[self.backend.maps[map_name].lookup(key)]}"

    def do_delete(self, map_name: str, key: Any) -> str:
        self.backend.maps[map_name].delete(key)
        return "ok"

    def do_keys(self, map_name: str) -> list[Any]:
        return sorted(_key(key) for key in self.backend.maps[map_name])

    def do_set(self, slot: int, value: int) -> None:
        self.backend.maps["config"][slot] = value

    # Bytes

    def do_send(self, socket: str, text: str) -> int:
        count: int = self.sockets[socket].send(text.encode("latin1"))
        return count

    def do_more(self, socket: str, text: str) -> int:
        count: int = self.sockets[socket].send(text.encode("latin1"), more=True)
        return count

    def do_sendmsg(self, socket: str, parts: list[str]) -> int:
        count: int = self.sockets[socket].sendmsg([part.encode("latin1") for part in parts])
        return count

    def do_sendfile(self, socket: str, text: str) -> int:
        count: int = self.sockets[socket].sendfile(text.encode("latin1"))
        return count

    def do_recv(self, socket: str, count: int) -> str:
        return _text(self.sockets[socket].recv(count))

    def do_peek(self, socket: str, count: int) -> str:
        return _text(self.sockets[socket].peek(count))

    def do_pending(self, socket: str) -> int:
        pending: int = self.sockets[socket].pending
        return pending

    def do_buffers(self, socket: str, size: int) -> None:
        self.sockets[socket].set_buffers(size)

    def do_flood(self, socket: str, total: int) -> str:
        content = memoryview(pattern(total))
        patience = PATIENCE
        while content and patience:
            sent = self._send_some(socket, content)
            content = content[sent:]
            patience = self._go_on(bool(sent), patience)
        return "held up" if content else "all"

    def do_burst(self, socket: str, size: int, times: int) -> list[Any]:
        content = memoryview(pattern(size * times))
        taken = 0
        try:
            for _ in range(times):
                sent = self.sockets[socket].send(content[taken : taken + size])
                taken += sent
                if sent < size:
                    break
        except OSError as error:
            assert error.errno is not None
            return [taken, errno.errorcode[error.errno]]
        return [taken, "ok"]

    def do_drain(self, socket: str) -> list[Any]:
        received = b""
        patience = PATIENCE
        while patience and (part := self._receive_some(socket)) != b"":
            received += part or b""
            patience = self._go_on(bool(part), patience)
        return [*_verified(received), "EAGAIN" if patience == 0 else "<EOF>"]

    def do_transfer(self, sender: str, receiver: str, total: int) -> list[Any]:
        content = memoryview(pattern(total))
        received = b""
        patience = PATIENCE
        while len(received) < total and patience:
            sent = self._send_some(sender, content)
            content = content[sent:]
            part = self._receive_some(receiver)
            received += part or b""
            patience = self._go_on(bool(sent or part), patience)
        return _verified(received)

    def _go_on(self, progress: bool, patience: int) -> int:
        """The patience that is left; without progress it gets less by a wait."""
        if progress:
            return PATIENCE
        self.backend.wait(PAUSE)
        return patience - 1

    def _send_some(self, socket: str, content: memoryview) -> int:
        """How much of `content` the socket took, at most FLOOD bytes."""
        try:
            sent: int = self.sockets[socket].send(content[:FLOOD]) if content else 0
        except BlockingIOError:
            return 0
        return sent

    def _receive_some(self, socket: str) -> bytes | None:
        """What is there, b"" at the end of the stream and None if nothing is there."""
        try:
            part: bytes = self.sockets[socket].recv(FLOOD)
        except BlockingIOError:
            return None
        return part

    def do_shutdown(self, socket: str, how: int = 1) -> str:
        self.sockets[socket].shutdown(how)
        return "ok"

    def do_close(self, socket: str) -> None:
        self.sockets[socket].close()

    def do_reset(self, socket: str) -> None:
        self.sockets[socket].reset()

    def do_error(self, socket: str) -> Any:
        number = self.sockets[socket].error
        return errno.errorcode.get(number, number)

    def do_state(self, socket: str) -> str:
        state: str = self.sockets[socket].state
        return state

    # Time and what programs reported

    def do_wait(self, milliseconds: int) -> None:
        self.backend.wait(milliseconds / 1000)

    def _reports(self, map_name: str) -> list[Any]:
        found = []
        while (item := self.backend.maps[map_name].pop()) is not None:
            found.append(item)
        return found

    def do_runs(self) -> list[list[Any]]:
        runs = []
        for item in self._reports("runs"):
            program, head = PROGRAMS[item["program"]], bytes(item["head"]).rstrip(b"\0").decode("latin1")
            runs.append([program, item["length"], item["linear"], item["result"], head, item["helper"]])
        return runs

    def do_seen(self) -> list[list[Any]]:
        return [
            [
                PROGRAMS[item["program"]],
                item["length"],
                item["linear"],
                item["result"],
                item["family"],
                *_addresses(item["addresses"]),
                f"{item['remote_ip6']:#x}",
                f"{item['local_ip6']:#x}",
            ]
            for item in self._reports("seen")
        ]

    def do_seen_lengths(self) -> list[list[Any]]:
        return [[PROGRAMS[item["program"]], item["length"], item["result"]] for item in self._reports("seen")]

    def do_callbacks(self) -> list[list[Any]]:
        return [
            [
                CALLBACKS[item["op"]],
                item["is_fullsock"],
                item["family"],
                item["state"],
                *_addresses(item["addresses"]),
                list(item["args"]),
                item["update"],
                item["flags"],
            ]
            for item in self._reports("callbacks")
        ]

    def do_options(self) -> list[list[Any]]:
        return [
            [
                CALLBACKS[item["op"]],
                _result(item["set"]),
                _result(item["get"]),
                bytes(item["value"]).hex(),
                item["cloned"],
                item["plain"],
            ]
            for item in self._reports("options")
        ]

    def do_headers(self) -> list[list[Any]]:
        return [
            [
                *_callback(item),
                item["arg"],
                item["length"],
                f"{item['flags']:#04x}",
                shown_header(bytes(item["bytes"])[: item["linear"]]),
                *_answers(item),
            ]
            for item in self._reports("headers")
        ]

    def do_syns(self) -> list[list[Any]]:
        return [
            [*_callback(item), _result(item["get"]), shown_packet(bytes(item["option"]))]
            for item in self._reports("headers")
        ]


def _callback(item: Any) -> list[Any]:
    """Which callback of which end, and which program's if it is not the first one's."""
    name = CALLBACKS[item["op"]] if item["program"] == 1 else f"{CALLBACKS[item['op']]} of the other"
    return [name, item["is_fullsock"], item["local_port"]]


def _answers(item: Any) -> list[Any]:
    """What helpers gave, but 0, and what bpf_load_hdr_opt found."""
    given = {name: _result(item[name]) for name in _HEADER_HELPERS if item[name]}
    if "load" in given:
        given["loaded"] = b"".join(word.to_bytes(8, "little") for word in item["loaded"]).hex()
    return [given] if given else []


def _result(number: int) -> int | str:
    """What a helper gave: a name for an errno that has one."""
    return errno.errorcode.get(-number, number)


def _verified(received: bytes) -> list[Any]:
    """How many bytes came, and whether they are the beginning of the pattern."""
    return [len(received), "intact" if received == pattern(len(received)) else "damaged"]


def _addresses(addresses: Any) -> list[Any]:
    """Remote and local address as the program read them, and both ports as numbers."""
    remote, local, remote_port, local_port = addresses.values()
    return [f"{remote:#x}", f"{local:#x}", remote_port, local_port]
