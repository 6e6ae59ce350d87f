"""The simulator does what real kernels did, step by step (`tests/corpus/scenarios`)."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from skverdict.codegen import read_object
from skverdict.runtime import Simulator
from tests.corpus.scenario import run

CORPUS = Path(__file__).parents[1] / "corpus"
PROGRAMS = ("", "parser", "verdict", "skb_verdict", "msg_verdict")
ATTACH = {"parser": "parser", "verdict": "verdict", "skb_verdict": "verdict", "msg_verdict": "msg_verdict"}


def scenarios() -> list[Any]:
    return [
        pytest.param(scenario, id=f"{path.stem}: {scenario['name']}")
        for path in sorted((CORPUS / "scenarios").glob("*.json"))
        for scenario in json.loads(path.read_text(encoding="utf-8"))
    ]


class SimulatorWorld:
    """Carries out the verbs of a scenario on a simulator."""

    def __init__(self) -> None:
        content = (CORPUS / "lab" / "lab.o").read_bytes()
        self.simulator = Simulator(read_object(content, "lab.o"))
        self.sockets: dict[str, Any] = {}

    def act(self, verb: str, *arguments: Any) -> Any:
        try:
            return getattr(self, f"do_{verb}")(*arguments)
        except OSError as error:
            assert error.errno is not None
            return errno.errorcode[error.errno]

    def do_attach(self, map_name: str, program: str) -> str:
        self.simulator.attach(map_name, **{ATTACH[program]: program})
        return "ok"

    def do_detach(self, map_name: str, program: str) -> str:
        self.simulator.detach(map_name, **{ATTACH[program]: program})
        return "ok"

    def do_pair(self, client: str, server: str) -> None:
        self.sockets[client], self.sockets[server] = self.simulator.tcp_pair(names=(client, server))

    def do_listen(self, name: str) -> None:
        self.sockets[name] = self.simulator.tcp_listener(name=name)

    def do_tcp(self, name: str) -> None:
        self.sockets[name] = self.simulator.tcp_socket(name=name)

    def do_put(self, map_name: str, key: int, socket: str, flags: int = 0) -> str:
        self.simulator.maps[map_name].update(key, self.sockets[socket], flags)
        return "ok"

    def do_get(self, map_name: str, key: int) -> str:
        cookie = self.simulator.maps[map_name].lookup(key)
        (name,) = (name for name, socket in self.sockets.items() if socket.cookie == cookie)
        return f"cookie of {name}"

    def do_delete(self, map_name: str, key: int) -> str:
        self.simulator.maps[map_name].delete(key)
        return "ok"

    def do_set(self, slot: int, value: int) -> None:
        self.simulator.maps["config"][slot] = value

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
        self.simulator.wait(milliseconds / 1000)

    def do_runs(self) -> list[list[Any]]:
        runs = []
        while (item := self.simulator.maps["runs"].pop()) is not None:
            head = bytes(item["head"]).rstrip(b"\0").decode("latin1")
            runs.append(
                [PROGRAMS[item["program"]], item["length"], item["linear"], item["result"], head, item["helper"]]
            )
        return runs


@pytest.mark.parametrize("scenario", scenarios())
def test_simulator_does_what_the_kernel_did(scenario: dict[str, Any]) -> None:
    outcomes = run(SimulatorWorld(), scenario)
    steps = [*zip(scenario["steps"], outcomes, strict=True)]
    expected = [*zip(scenario["steps"], scenario["outcomes"], strict=True)]
    assert steps == expected
