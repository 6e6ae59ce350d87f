"""How many messages a second pass through parser, verdict and redirect in the simulator.

    python -m bench.message_speed [--write docs/performance.md]

The policy is `examples/port_redirect.py`. One by one a message is one `send`, and is read at the other end of the
redirect; at once all are given to `sim.replay`, which gives what was read after each. Both leave a trace. Seconds are
the processor's, of one process.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from skverdict.codegen import build
from skverdict.codegen.object import Object
from skverdict.codegen.object_reader import read_object
from skverdict.dsl import load_policy
from skverdict.runtime import Simulator, Socket

from bench.engine_speed import machine, write_between
from bench.measure import BenchError, measure

POLICY = Path(__file__).resolve().parents[1] / "examples" / "port_redirect.py"
SIZES = {"64 B": (64, 50_000), "1 KiB": (1024, 50_000), "64 KiB": (65536, 1000)}
"""Bytes of a message, and how many are sent at once."""

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


def _subject(object_: Object, engine: str, way: Way, messages: list[bytes]) -> Callable[[], float]:
    """What runs once; seconds a message."""
    sim = Simulator(object_, engine=engine)
    client, server = sim.tcp_pair(server_port=10000)
    upstream, reader = sim.tcp_pair()
    sim.maps["sock_map_rx"][0] = upstream
    sim.attach("sock_map_rx", parser="parser", verdict="verdict")
    sim.maps["sock_map_rx"][1] = server

    def once() -> float:
        sim.trace.clear()
        start = time.process_time()
        way(sim, client, reader, messages)
        return (time.process_time() - start) / len(messages)

    return once


def table(rounds: int) -> str:
    """The results as a table of Markdown. Raises BenchError."""
    object_ = read_object(build(load_policy(str(POLICY))))
    random_ = random.Random(0)
    lines = ["| message | " + " | ".join(COLUMNS) + " |", "|---|" + "---|" * len(COLUMNS)]
    for name, (size, count) in SIZES.items():
        messages = [random_.randbytes(size) for _ in range(count)]
        subjects = {
            column: _subject(object_, engine, way, messages if way is at_once else messages[:ONE_BY_ONE])
            for column, (engine, way) in COLUMNS.items()
        }
        times = measure(subjects, rounds, warm_up=1)
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
