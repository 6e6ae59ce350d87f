"""Running policies: the simulator, its sockets and its trace."""

from __future__ import annotations

from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.fault import Fault, LoadError, UnsupportedHelper
from skverdict.runtime.maps.base import MapError
from skverdict.runtime.maps.typed import ValueMismatch
from skverdict.runtime.simulator import Simulator
from skverdict.runtime.sockets.errors import HazardError, SimulationError
from skverdict.runtime.sockets.socket import Socket
from skverdict.runtime.trace import Trace

__all__ = [
    "Errno",
    "Fault",
    "HazardError",
    "KernelError",
    "LoadError",
    "MapError",
    "SimulationError",
    "Simulator",
    "Socket",
    "Trace",
    "UnsupportedHelper",
    "ValueMismatch",
]
