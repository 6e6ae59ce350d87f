"""Buffers that programs write and user space reads, by libbpf's handles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skverdict.runtime.kernel.bpf_calls import Calls


class Buffers(Calls):
    """Ring buffers and perf buffers. The functions that get their records must live until they are freed."""

    def open_ring_buffer(self, map_: int, sample: Callable[..., Any]) -> int:
        """The handle of the ring buffer behind descriptor `map_`, to be freed."""
        return self._pointer(self.library.ring_buffer__new(map_, sample, None, None), "ring buffer")

    def ring_buffer_descriptor(self, handle: int) -> int:
        """What is readable when there are records."""
        return self._checked(self.library.ring_buffer__epoll_fd(handle), "ring buffer")

    def consume_ring_buffer(self, handle: int) -> int:
        """Hand the records that are there over; gives their number."""
        return self._checked(self.library.ring_buffer__consume(handle), "ring buffer")

    def free_ring_buffer(self, handle: int) -> None:
        self.library.ring_buffer__free(handle)

    def open_perf_buffer(
        self, map_: int, pages: int, sample: Callable[..., Any], lost: Callable[..., Any]
    ) -> int:
        """The handle of perf buffers of so many pages, one for each CPU that is on, to be freed."""
        function = self.library.perf_buffer__new
        return self._pointer(function(map_, pages, sample, lost, None, None), "perf buffer")

    def perf_buffer_descriptor(self, handle: int) -> int:
        """What is readable when there are records."""
        return self._checked(self.library.perf_buffer__epoll_fd(handle), "perf buffer")

    def consume_perf_buffer(self, handle: int) -> None:
        """Hand the records that are there over."""
        self._checked(self.library.perf_buffer__consume(handle), "perf buffer")

    def free_perf_buffer(self, handle: int) -> None:
        self.library.perf_buffer__free(handle)
