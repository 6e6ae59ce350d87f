"""Scenarios: short scripts over sockets and maps, written as data, whose outcomes a real kernel gave.

A scenario has settings for the `config` map of the object of `lab/lab.c`, and steps. Each step is a list, its
first item the verb, and each gives one outcome:

    ["attach", map, program]         errno name, or "ok"
    ["detach", map, program]         the same
    ["pair", client, server]         TCP over IPv4 loopback, no outcome (null)
    ["listen", name]                 a listening TCP socket, null
    ["tcp", name]                    a TCP socket never connected, null
    ["put", map, key, socket, flags] errno name, or "ok"
    ["get", map, key]                "cookie of NAME", or errno name
    ["delete", map, key]             errno name, or "ok"
    ["set", slot, value]             changes `config`, null
    ["send", socket, text]           the count, or errno name
    ["recv", socket, count]          text, "<EOF>" (end of stream), or errno name
    ["peek", socket, count]          the same, without taking the bytes
    ["pending", socket]              FIONREAD's count
    ["shutdown", socket]             write side, "ok" or errno name
    ["close", socket]                null
    ["wait", milliseconds]           lets timers run, null
    ["runs"]                         program runs since the last look, each as
                                     [program, length, linear, result, head, helper]

Bytes are Latin-1 text, so that JSON holds them. `run` is the same for a kernel and the simulator: both are
a `World`, and what differs between them is a fault of the simulator.

`outcomes` are those of the newest kernel in KERNELS; `outcomes_on` has, by kernel and step, what others gave.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

#: The kernels whose outcomes are recorded, oldest first.
KERNELS = ("6.1", "6.12", "7.2")
SCENARIOS = Path(__file__).parent / "scenarios"
LAB = Path(__file__).parent / "lab" / "lab.o"

Outcome = Any
Step = list[Any]


class World(Protocol):
    """What a scenario acts on. `act` carries out one step and gives its outcome."""

    def act(self, verb: str, *arguments: Any) -> Outcome: ...


def run(world: World, scenario: dict[str, Any]) -> list[Outcome]:
    """Carries out the steps of `scenario` in order and gives the outcome of each."""
    for slot, value in scenario.get("settings", {}).items():
        world.act("set", int(slot), value)
    return [world.act(*step) for step in scenario["steps"]]


def recorded() -> Iterator[tuple[str, dict[str, Any]]]:
    """The recorded scenarios, each with the name of its group."""
    for path in sorted(SCENARIOS.glob("*.json")):
        for scenario in json.loads(path.read_text(encoding="utf-8")):
            yield path.stem, scenario


def expected(scenario: dict[str, Any], kernel: str) -> list[Outcome]:
    """What the steps of a recorded scenario gave on `kernel`."""
    outcomes = list(scenario["outcomes"])
    for step, outcome in scenario.get("outcomes_on", {}).get(kernel, {}).items():
        outcomes[int(step)] = outcome
    return outcomes
