"""User space's side of each map in the kernel."""

from __future__ import annotations

from skverdict.codegen.btf import Btf
from skverdict.dsl.catalogue.maps import COPIED, SOCKET
from skverdict.runtime.kernel.bpf import Bpf
from skverdict.runtime.kernel.buffers import KernelPerfEvents, KernelRingBuffer
from skverdict.runtime.kernel.maps import KernelMap, KernelQueueView, KernelSocketMapView
from skverdict.runtime.maps.map_view import MapView

View = KernelSocketMapView | KernelQueueView | KernelRingBuffer | KernelPerfEvents | MapView
#: The kinds whose views hold memory that they share with the kernel.
Shared = KernelRingBuffer | KernelPerfEvents


def view_of(bpf: Bpf, raw: KernelMap, btf: Btf | None) -> View:
    """The view of `raw`, with types from `btf`."""
    if raw.map_kind.entry == SOCKET:
        return KernelSocketMapView(raw, btf)
    if raw.map_kind.entry == COPIED:
        return KernelQueueView(raw, btf)
    if raw.kind == "ringbuf":
        return KernelRingBuffer(bpf, raw)
    if raw.kind == "perf_event_array":
        return KernelPerfEvents(bpf, raw)
    return MapView(raw, btf)
