"""How many messages a second pass through parser, verdict and redirect in the simulator, with each engine.

    python -m bench.message_speed [--write docs/performance.md]

The policy is `examples/port_redirect.py`. A message is one `send`, and is read at the other end of the redirect.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from skverdict.codegen import build
from skverdict.codegen.object import Object
from skverdict.codegen.object_reader import read_object
from skverdict.dsl import load_policy
from skverdict.runtime import Simulator

from bench.engine_speed import machine, write_between
from bench.measure import BenchError, measure

POLICY = Path(__file__).resolve().parents[1] / "examples" / "port_redirect.py"
SIZES = {"64 B": 64, "1 KiB": 1024, "64 KiB": 65536}
ENGINES = ("reference", "native")
MESSAGES = 200
BEGIN = "<!-- bench.message_speed -->"


def _subject(object_: Object, engine: str, size: int) -> Callable[[], float]:
    sim = Simulator(object_, engine=engine)
    client, server = sim.tcp_pair(server_port=10000)
    upstream, backend = sim.tcp_pair()
    sim.maps["sock_map_rx"][0] = upstream
    sim.attach("sock_map_rx", parser="parser", verdict="verdict")
    sim.maps["sock_map_rx"][1] = server
    message = bytes(size)

    def once() -> float:
        start = time.perf_counter()
        for _ in range(MESSAGES):
            client.send(message)
            if len(backend.recv(size)) != size:
                raise BenchError("a message did not arrive")
        return time.perf_counter() - start

    return once


def table(rounds: int) -> str:
    """The results as a table of Markdown. Raises BenchError."""
    object_ = read_object(build(load_policy(str(POLICY))))
    lines = ["| message | " + " | ".join(ENGINES) + " |", "|---|" + "---|" * len(ENGINES)]
    for name, size in SIZES.items():
        times = measure({engine: _subject(object_, engine, size) for engine in ENGINES}, rounds)
        rates = (f"{MESSAGES / (times[engine].minimum / 1000):.0f}" for engine in ENGINES)
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
