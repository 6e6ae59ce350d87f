"""User space's side of each map in the kernel."""

from __future__ import annotations

from collections.abc import Mapping

from skverdict.codegen.btf import Btf
from skverdict.dsl.catalogue.maps import COPIED, MAP, PROGRAM, SOCKET
from skverdict.runtime.kernel.bpf import Bpf
from skverdict.runtime.kernel.buffers import KernelPerfEvents, KernelRingBuffer
from skverdict.runtime.kernel.maps import KernelMap, KernelQueueView, KernelSocketMapView
from skverdict.runtime.kernel.thing_views import (
    KernelMapOfMapsView,
    KernelProgramArrayView,
    KernelSocketStorageView,
)
from skverdict.runtime.maps.map_view import MapView

View = (
    KernelSocketMapView
    | KernelQueueView
    | KernelRingBuffer
    | KernelPerfEvents
    | KernelSocketStorageView
    | MapView
)
#: The views that hold memory or descriptors of their own.
Closable = KernelRingBuffer | KernelPerfEvents | KernelMapOfMapsView


def view_of(bpf: Bpf, raw: KernelMap, btf: Btf | None, programs: Mapping[str, int]) -> View:
    """The view of `raw`, with types from `btf`; `programs` are those that it may hold, by descriptors."""
    entry = raw.map_kind.entry
    if entry == SOCKET:
        return KernelSocketMapView(raw, btf)
    if entry == COPIED:
        return KernelQueueView(raw, btf)
    if entry == PROGRAM:
        return KernelProgramArrayView(raw, programs)
    if entry == MAP:
        return KernelMapOfMapsView(bpf, raw, btf)
    if raw.kind == "ringbuf":
        return KernelRingBuffer(bpf, raw)
    if raw.kind == "perf_event_array":
        return KernelPerfEvents(bpf, raw)
    if raw.kind == "sk_storage":
        return KernelSocketStorageView(raw, btf)
    return MapView(raw, btf)
