"""Running policies: the simulator, its sockets and its trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

# Imported when first asked for: the command line lies in this package, and most commands simulate nothing.
_LATE = {
    "Errno": "machine.errno",
    "Fault": "machine.fault",
    "HazardError": "sockets.errors",
    "KernelError": "machine.errno",
    "LoadError": "machine.fault",
    "MapError": "maps.base",
    "SimulationError": "sockets.errors",
    "Simulator": "simulator",
    "Socket": "sockets.socket",
    "Trace": "trace",
    "UnsupportedHelper": "machine.fault",
    "ValueMismatch": "maps.typed",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
    globals()[name] = value
    return value
