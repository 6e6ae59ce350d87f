"""What buffers cost the sockets that they are charged to, in bytes (`truesize` of `struct sk_buff`).

On x86-64 with pages of 4096 bytes. Memory for the linear part comes in the sizes of the kernel's allocator
and has `struct skb_shared_info` behind it.
"""

from __future__ import annotations

from functools import lru_cache

PAGE_SIZE = 4096

_SK_BUFF = 256
_SHARED_INFO = 320
_CACHE_LINE = 64
#: The smallest piece that the allocator gives for a buffer, and what small ones have of their own, if they do
#: (SKB_SMALL_HEAD_CACHE_SIZE).
_SMALLEST, _SMALL_HEAD = 512, 704

#: Linear bytes of a buffer that is one page with what belongs to it (SKB_MAX_HEAD(0)), or four
#: (SKB_MAX_ALLOC).
MOST_IN_PAGE = PAGE_SIZE - _SHARED_INFO
MOST_LINEAR = 4 * PAGE_SIZE - _SHARED_INFO

#: What a socket may hold to send or to read unless it is TCP (net.core.wmem_default and rmem_default).
DEFAULT_BUFFER = 212_992


def page_aligned(length: int) -> int:
    """`length` in whole pages."""
    return -(-length // PAGE_SIZE) * PAGE_SIZE


def page_ends(start: int, length: int) -> tuple[int, ...]:
    """Where pieces of memory end that hold `length` bytes from offset `start` on: as many pages at once as
    there are bytes for, up to 8 and by powers of two."""
    ends = []
    end = start + length
    while start < end:
        pages = min(8, page_aligned(end - start) // PAGE_SIZE)
        start += PAGE_SIZE << (pages.bit_length() - 1)
        ends.append(min(start, end))
    return tuple(ends)


@lru_cache(maxsize=1024)
def truesize(linear: int, paged: int, has_small_head: bool) -> int:
    """The cost of a buffer with so much linear space and so many bytes in pages.

    `has_small_head`: small ones come from a cache of their own, as they do since Linux 6.3 (`kmalloc_reserve` of
    net/core/skbuff.c) where the control group of the sender does not account for them.
    """
    wanted = -(-linear // _CACHE_LINE) * _CACHE_LINE + _SHARED_INFO
    allocated = max(_SMALLEST, 1 << (wanted - 1).bit_length())
    if has_small_head and wanted <= _SMALL_HEAD:
        allocated = _SMALL_HEAD
    return _SK_BUFF + allocated + paged
