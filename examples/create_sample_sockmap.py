"""The user-space sequence of the kernel's sockmap page: create, attach parser and verdict, update.

Run it: a client's bytes to port 10000 come back to it, since the only socket in the map is the server itself.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from skverdict.dsl import BPF_NOEXIST, load_policy
from skverdict.runtime import Simulator, Socket

POLICY = Path(__file__).with_name("port_redirect.py")


def create_sample_sockmap(sim: Simulator, socket: Socket) -> None:
    """Attach both programs to the policy's map and put `socket` in at index 0.

    Raises OSError with the kernel's errno if a step is refused.
    """
    sim.attach("sock_map_rx", parser="parser")
    sim.attach("sock_map_rx", verdict="verdict")
    sim.maps["sock_map_rx"].update(0, socket, BPF_NOEXIST)


def main() -> int:
    sim = Simulator(load_policy(POLICY))
    client, server = sim.tcp_pair(server_port=10000)
    try:
        create_sample_sockmap(sim, server)
    except OSError as error:
        print(f"refused: {os.strerror(error.errno or 0)}", file=sys.stderr)
        return 1
    client.send(b"echo")
    print(client.recv(4096).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
