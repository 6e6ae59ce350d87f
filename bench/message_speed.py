"""How many messages a second pass through parser, verdict and redirect in the simulator.

    python -m bench.message_speed [--write docs/performance.md]

The policies are `examples/port_redirect.py` and `examples/hash_redirect.py`. One by one a message is one `send`, and is
read at the other end of the redirect; at once all are given to `sim.replay`, which gives what was read after each. Both
leave a trace. Seconds are the processor's, of one process.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from skverdict.codegen import build
from skverdict.codegen.object import Object
from skverdict.codegen.object_reader import read_object
from skverdict.dsl import load_policy
from skverdict.runtime import Simulator, Socket

from bench.engine_speed import machine, write_between
from bench.measure import BenchError, measure

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
CLIENT_PORT, SERVER_PORT = 40000, 10000


class Subject(NamedTuple):
    """A policy and its map, the keys of the redirect's target and of the server, the bytes of a message, and how many
    are sent at once."""

    policy: str
    map: str
    target: int | bytes
    server: int | bytes
    size: int
    count: int


PORT = ("port_redirect.py", "sock_map_rx", 0, 1)
HASH = ("hash_redirect.py", "sock_hash_rx", bytes.fromhex("7f0000017f0000019c40000027100000"), bytes(16))
SUBJECTS = {
    "sockmap, 64 B": Subject(*PORT, 64, 50_000),
    "sockmap, 1 KiB": Subject(*PORT, 1024, 50_000),
    "sockmap, 64 KiB": Subject(*PORT, 65536, 1000),
    "sockhash, 64 B": Subject(*HASH, 64, 50_000),
}
ONE_BY_ONE = 200
BEGIN = "<!-- bench.message_speed -->"

Way = Callable[[Simulator, Socket, Socket, list[bytes]], None]


def one_by_one(_: Simulator, client: Socket, reader: Socket, messages: list[bytes]) -> None:
    """Send and read in Python's loop."""
    for message in messages:
        client.send(message)
        if reader.recv(len(message)) != message:
            raise BenchError("a message did not arrive")


def at_once(sim: Simulator, client: Socket, reader: Socket, messages: list[bytes]) -> None:
    """Send and read all."""
    if sim.replay(client, messages, reader) != messages:
        raise BenchError("a message did not arrive")


COLUMNS: dict[str, tuple[str, Way]] = {
    "one by one, reference": ("reference", one_by_one),
    "one by one, native": ("native", one_by_one),
    "at once": ("auto", at_once),
}


def _made(subject: Subject, object_: Object, engine: str, way: Way, messages: list[bytes]) -> Callable[[], float]:
    """What runs once; seconds a message."""
    sim = Simulator(object_, engine=engine)
    client, server = sim.tcp_pair(client_port=CLIENT_PORT, server_port=SERVER_PORT)
    upstream, reader = sim.tcp_pair()
    sim.maps[subject.map][subject.target] = upstream
    sim.attach(subject.map, parser="parser", verdict="verdict")
    sim.maps[subject.map][subject.server] = server

    def once() -> float:
        sim.trace.clear()
        start = time.process_time()
        way(sim, client, reader, messages)
        return (time.process_time() - start) / len(messages)

    return once


def table(rounds: int) -> str:
    """The results as a table of Markdown. Raises BenchError."""
    random_ = random.Random(0)
    lines = ["| redirect, message | " + " | ".join(COLUMNS) + " |", "|---|" + "---|" * len(COLUMNS)]
    for name, subject in SUBJECTS.items():
        object_ = read_object(build(load_policy(str(EXAMPLES / subject.policy))))
        messages = [random_.randbytes(subject.size) for _ in range(subject.count)]
        measured = {
            column: _made(subject, object_, engine, way, messages if way is at_once else messages[:ONE_BY_ONE])
            for column, (engine, way) in COLUMNS.items()
        }
        times = measure(measured, rounds, warm_up=1)
        rates = (f"{1000 / times[column].minimum:,.0f}" for column in COLUMNS)
        lines.append(f"| {name} | " + " | ".join(rates) + " |")
    return "\n".join(lines)


def main() -> int:
    summary = __doc__.split("\n", 1)[0]
    parser = argparse.ArgumentParser(prog="python -m bench.message_speed", description=summary)
    parser.add_argument("--rounds", type=int, default=10, help="how often each is run; the best counts (default 10)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this document")
    arguments = parser.parse_args()
    try:
        text = f"Measured on {machine()}; messages a second.\n\n{table(arguments.rounds)}"
        if arguments.write is not None:
            write_between(arguments.write, BEGIN, text)
    except BenchError as error:
        print(f"message_speed: {error}", file=sys.stderr)
        return 1
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
