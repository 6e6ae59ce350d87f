"""Scenarios on a backend: the simulator, or a kernel, which offer the same."""

from __future__ import annotations

import errno
from typing import Any

PROGRAMS = ("", "parser", "verdict", "skb_verdict", "msg_verdict")
ATTACH = {"parser": "parser", "verdict": "verdict", "skb_verdict": "verdict", "msg_verdict": "msg_verdict"}


class BackendWorld:
    """Carries out the verbs of a scenario on `backend`, which has the object of `lab/lab.c`."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.sockets: dict[str, Any] = {}
        self.cookies: dict[int, str] = {}

    def act(self, verb: str, *arguments: Any) -> Any:
        try:
            return getattr(self, f"do_{verb}")(*arguments)
        except OSError as error:
            assert error.errno is not None
            return errno.errorcode.get(error.errno, error.errno)

    def _add(self, name: str, socket: Any) -> None:
        self.sockets[name] = socket
        self.cookies[socket.cookie] = name

    def do_attach(self, map_name: str, program: str) -> str:
        self.backend.attach(map_name, **{ATTACH[program]: program})
        return "ok"

    def do_detach(self, map_name: str, program: str) -> str:
        self.backend.detach(map_name, **{ATTACH[program]: program})
        return "ok"

    def do_pair(self, client: str, server: str) -> None:
        for socket in self.backend.tcp_pair(names=(client, server)):
            self._add(socket.name, socket)

    def do_listen(self, name: str) -> None:
        self._add(name, self.backend.tcp_listener(name=name))

    def do_tcp(self, name: str) -> None:
        self._add(name, self.backend.tcp_socket(name=name))

    def do_put(self, map_name: str, key: int, socket: str, flags: int = 0) -> str:
        self.backend.maps[map_name].update(key, self.sockets[socket], flags)
        return "ok"

    def do_get(self, map_name: str, key: int) -> str:
        return f"cookie of {self.cookies[self.backend.maps[map_name].lookup(key)]}"

    def do_delete(self, map_name: str, key: int) -> str:
        self.backend.maps[map_name].delete(key)
        return "ok"

    def do_set(self, slot: int, value: int) -> None:
        self.backend.maps["config"][slot] = value

    def do_send(self, socket: str, text: str) -> int:
        count: int = self.sockets[socket].send(text.encode("latin1"))
        return count

    def do_recv(self, socket: str, count: int) -> str:
        return self.sockets[socket].recv(count).decode("latin1") or "<EOF>"

    def do_peek(self, socket: str, count: int) -> str:
        return self.sockets[socket].peek(count).decode("latin1") or "<EOF>"

    def do_pending(self, socket: str) -> int:
        pending: int = self.sockets[socket].pending
        return pending

    def do_shutdown(self, socket: str) -> str:
        self.sockets[socket].shutdown()
        return "ok"

    def do_close(self, socket: str) -> None:
        self.sockets[socket].close()

    def do_wait(self, milliseconds: int) -> None:
        self.backend.wait(milliseconds / 1000)

    def do_runs(self) -> list[list[Any]]:
        runs = []
        while (item := self.backend.maps["runs"].pop()) is not None:
            program, head = PROGRAMS[item["program"]], bytes(item["head"]).rstrip(b"\0").decode("latin1")
            runs.append([program, item["length"], item["linear"], item["result"], head, item["helper"]])
        return runs
