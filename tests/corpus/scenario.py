"""Scenarios: short scripts over sockets and maps, written as data, whose outcomes a real kernel gave.

A scenario has settings for the `config` map of its object (`lab/`), and steps. Each step is a list, its first
item the verb, and each gives one outcome:

    ["attach", map, program, place]     errno name, or "ok"; `place` is the program's own if it is left out
    ["detach", map, program]            the same
    ["link", name, map, program, place] the same, held by a new link
    ["update_link", name, program, old] the same; `old` is the program that must be there, if it is given
    ["detach_link", name]               the same
    ["close_link", name]                the same
    ["attach_cgroup", program]          to the cgroup of the sockets made from now on, the same
    ["detach_cgroup", program]          the same
    ["pair", client, server, options]   TCP, over IPv4 loopback without `options`; no outcome (null)
    ["listen", name, options]           a listening TCP socket, null
    ["connect", listener, client, server, options]   as `pair`, to that listener
    ["tcp", name]                       a TCP socket never connected, null
    ["udp", one, other, options]        UDP sockets connected to each other, null
    ["udp_socket", name, options]       a UDP socket, bound unless `options` say otherwise, null
    ["unix", one, other, kind]          connected unix sockets, `stream`, `dgram` or `seqpacket`, null
    ["put", map, key, socket, flags]    errno name, or "ok"; a key is a number or the members of a struct
    ["get", map, key]                   "cookie of NAME", or errno name
    ["delete", map, key]                errno name, or "ok"
    ["keys", map]                       the keys in ascending order
    ["set", slot, value]                changes `config`, null
    ["send", socket, text]              the count, or errno name
    ["more", socket, text]              the same, with MSG_MORE
    ["sendmsg", socket, parts]          the same, of several texts at once
    ["sendfile", socket, text]          the same, from a file
    ["recv", socket, count]             text, "<EOF>" (end of stream, or an empty datagram), or errno name
    ["peek", socket, count]             the same, without taking the bytes
    ["pending", socket]                 FIONREAD's count
    ["buffers", socket, bytes]          sets SO_SNDBUF and SO_RCVBUF, null
    ["flood", socket, count]            sends so many bytes: "all", or "held up" if the socket takes no more
    ["burst", socket, count, times]     so many sends of so many bytes each, until one fails or is cut short:
                                        [bytes taken, "ok" or errno name]
    ["drain", socket]                   reads all: [count, "intact" or "damaged", "EAGAIN" or "<EOF>"]
    ["transfer", sender, receiver, count]   both by turns: [count, "intact" or "damaged"]
    ["shutdown", socket, how]           the write side if `how` is left out, "ok" or errno name
    ["close", socket]                   null
    ["reset", socket]                   closes with a reset, as with SO_LINGER and a time of 0; null
    ["error", socket]                   SO_ERROR's errno name, or 0
    ["state", socket]                   the TCP state
    ["wait", milliseconds]              lets timers run, null

and, since the last look,

    ["runs"]                            program runs of lab.c, each as
                                        [program, length, linear, result, head, helper]
    ["seen"]                            program runs of net.c, each as [program, length, linear, result,
                                        family, remote address, local address, remote port, local
                                        port, last words of the IPv6 addresses, remote and local]
    ["seen_lengths"]                    of these only [program, length, result]
    ["callbacks"]                       runs of sock_ops, each as [callback, is_fullsock, family, state, the
                                        four of before, args, result of the update, result of setting flags]
    ["options"]                         runs of options.c's, each as [callback, result of setting, result of
                                        reading, the 16 bytes read in hexadecimal, values stored]
    ["headers"]                         runs of headers.c's, each as [callback, is_fullsock, local port, args[0],
                                        skb_len, flags, the header as far as it is written, what helpers gave
                                        but 0, if any]; `shown_headers` says how a header is written
    ["syns"]                            the same runs, each as [callback, is_fullsock, local port, result of
                                        reading the SYN, what was read]

Bytes are Latin-1 text, so that JSON holds them. `run` is the same for a kernel and the simulator: both are
a `World`, and what differs between them is a fault of the simulator.

`outcomes` are those of the newest kernel in KERNELS; `outcomes_on` has, by kernel and step, what others gave.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from tests.corpus.scenario_file import read

SCENARIOS = Path(__file__).parent / "scenarios"

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
        for scenario in read(path.read_bytes()):
            yield path.stem, scenario


def expected(scenario: dict[str, Any], kernel: str) -> list[Outcome]:
    """What the steps of a recorded scenario gave on `kernel`."""
    outcomes = list(scenario["outcomes"])
    for step, outcome in scenario.get("outcomes_on", {}).get(kernel, {}).items():
        outcomes[int(step)] = outcome
    return outcomes
