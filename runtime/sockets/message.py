"""A message on its way out (`struct sk_msg`), as `sendmsg` builds it and as programs of kind sk_msg see it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.trace import HEAD

if TYPE_CHECKING:
    from skverdict.runtime.sockets.sock import Sock

#: Elements that a message may have (MAX_SKB_FRAGS).
MAX_ELEMENTS = 17

#: Bytes of the pages that `sendmsg` copies into; an element never spans two.
PAGE = 32768


class Element:
    """One piece of a message: `length` bytes of `page` from `offset`. `shared` pages are not shown to
    programs."""

    __slots__ = ("length", "offset", "page", "shared")

    def __init__(self, page: bytearray, offset: int, length: int, shared: bool = False) -> None:
        self.page = page
        self.offset = offset
        self.length = length
        self.shared = shared

    @property
    def view(self) -> memoryview:
        """The bytes, writable."""
        return memoryview(self.page)[self.offset : self.offset + self.length]

    def cut(self, length: int) -> bytes:
        """Take the first `length` bytes away and return them."""
        taken = bytes(self.view[:length])
        self.offset += length
        self.length -= length
        return taken

    def part(self, start: int, length: int) -> Element:
        """A second element over some of the same bytes."""
        return Element(self.page, self.offset + start, length, self.shared)


class PageFragment:
    """Where the next bytes of a sending task go: a page that messages share until it is full."""

    def __init__(self) -> None:
        self.page = bytearray(PAGE)
        self.offset = 0

    def renew(self) -> None:
        """Begin a new page. Each message does, unless it continues a corked one, and so do bytes that no program
        looks at, so that runs can be repeated."""
        if self.offset:
            self.page = bytearray(PAGE)
            self.offset = 0


class Message:
    """Bytes that an application sends, in elements, and what programs said about them.

    `apply_bytes` and `cork_bytes` keep what a program set until a program sets it again, and so does `target`
    (with `ingress`): a message that outlives a run, being corked or longer than its verdict, is judged the
    next time with the old answers in place. `redirected` says that the program did so in its newest run. The
    readable window, `window`, is (element, start, length).
    """

    __slots__ = (
        "apply_bytes", "cork_bytes", "elements", "ingress", "redirected", "size", "target", "window",
    )  # fmt: skip

    def __init__(self) -> None:
        self.elements: list[Element] = []
        self.size = 0
        self.apply_bytes = 0
        self.cork_bytes = 0
        self.target: Sock | None = None
        self.ingress = False
        self.redirected = False
        self.window: tuple[Element, int, int] | None = None

    @property
    def full(self) -> bool:
        """True if no element can be added."""
        return len(self.elements) == MAX_ELEMENTS

    def fill(self, content: memoryview, fragment: PageFragment) -> int:
        """Copy `content` in as far as elements last; returns how many bytes that were."""
        done = 0
        while done < len(content):
            if fragment.offset == PAGE:
                fragment.renew()
            use = min(len(content) - done, PAGE - fragment.offset)
            last = self.elements[-1] if self.elements else None
            if last and last.page is fragment.page and last.offset + last.length == fragment.offset:
                last.length += use
            elif self.full:
                break
            else:
                self.elements.append(Element(fragment.page, fragment.offset, use))
            fragment.page[fragment.offset : fragment.offset + use] = content[done : done + use]
            fragment.offset += use
            self.size += use
            done += use
        return done

    def add_shared(self, content: bytes) -> None:
        """Add a page of somebody else's, as `sendpage` does; programs do not see its bytes until they pull
        them."""
        self.elements.append(Element(bytearray(content), 0, len(content), shared=True))
        self.size += len(content)

    def take(self, length: int) -> bytes:
        """Remove the first `length` bytes, or all if there are fewer, and return them."""
        parts = []
        while length and self.elements:
            element = self.elements[0]
            parts.append(element.cut(min(length, element.length)))
            length -= len(parts[-1])
            self.size -= len(parts[-1])
            if not element.length:
                del self.elements[0]
        return b"".join(parts)

    def clear(self) -> bytes:
        """Free the message; everything that programs set goes with it. Returns the bytes that it held."""
        content = self.take(self.size)
        self.elements.clear()
        self.apply_bytes = self.cork_bytes = 0
        self.target = None
        self.ingress = False
        return content

    def head(self) -> bytes:
        """The first bytes, as traces keep them."""
        head = bytes(self.elements[0].view[:HEAD]) if self.elements else b""
        return head if len(head) in (HEAD, self.size) else self.content()[:HEAD]

    def content(self) -> bytes:
        """All bytes, for the trace."""
        return b"".join(bytes(element.view) for element in self.elements)

    def show_first(self) -> None:
        """Let programs see the first element, or nothing of it if it is shared."""
        first = self.elements[0] if self.elements else None
        self.window = None if first is None or first.shared else (first, 0, first.length)

    def readable(self) -> memoryview | bytearray:
        """The bytes between `data` and `data_end`."""
        if self.window is None:
            return bytearray()
        element, start, length = self.window
        return element.view[start : start + length]

    def _find(self, start: int) -> tuple[int, int]:
        """The element that holds byte `start`, and the offset of that element in the message.

        For a `start` behind everything: the number of elements, and the offset of the last element.
        """
        offset = length = 0
        for index, element in enumerate(self.elements):
            offset += length
            length = element.length
            if start < offset + length:
                return index, offset
        return len(self.elements), offset

    def pull(self, start: int, end: int, flags: int) -> None:
        """`bpf_msg_pull_data`: make bytes `start` to `end` readable, in one element of the program's own.

        Raises KernelError EINVAL for flags, an empty range, or one that is not in the message.
        """
        if flags or end <= start:
            raise KernelError(Errno.EINVAL, "pull_data wants no flags and start before end")
        first, offset = self._find(start)
        if first == len(self.elements):
            raise KernelError(Errno.EINVAL, f"pull_data from {start} of a message of {self.size}")
        wanted = end - offset
        element = self.elements[first]
        if element.shared or wanted > element.length:
            last, copied = first, 0
            while last < len(self.elements) and copied < wanted:
                copied += self.elements[last].length
                last += 1
            if wanted > copied:
                raise KernelError(Errno.EINVAL, f"pull_data to {end} of a message of {self.size}")
            page = bytearray().join(old.view for old in self.elements[first:last])
            element = Element(page, 0, copied)
            self.elements[first:last] = [element]
        self.window = (element, start - offset, end - start)

    def push(self, start: int, length: int, flags: int) -> None:
        """`bpf_msg_push_data`: insert `length` new bytes at `start`, zeros here, for the program to fill.

        Raises KernelError EINVAL for flags or a place behind the end.
        """
        if flags:
            raise KernelError(Errno.EINVAL, "push_data wants no flags")
        if not length:
            return
        index, offset = self._find(start)
        if start > self.size:
            raise KernelError(Errno.EINVAL, f"push_data at {start} of a message of {self.size}")
        space = MAX_ELEMENTS - len(self.elements)
        inside = index < len(self.elements) and start != offset
        if index == len(self.elements) and space:
            self.elements.append(Element(bytearray(length), 0, length))
        elif space == 0 or (space == 1 and inside):
            # No room for more elements: the one at hand is copied with the new bytes in it.
            index = min(index, len(self.elements) - 1)
            old = self.elements[index]
            front = start - offset
            page = bytearray(old.view[:front]) + bytearray(length) + old.view[front:]
            self.elements[index] = Element(page, 0, len(page))
        else:
            new = [Element(bytearray(length), 0, length)]
            if inside:
                old = self.elements[index]
                front = start - offset
                new = [old.part(0, front), *new, old.part(front, old.length - front)]
                self.elements[index : index + 1] = new
            else:
                self.elements[index:index] = new
        self.size += length
        self.show_first()

    def pop(self, start: int, length: int, flags: int) -> None:
        """`bpf_msg_pop_data`: remove `length` bytes from `start`.

        Raises KernelError EINVAL for flags or a range that is not in the message.
        """
        if flags:
            raise KernelError(Errno.EINVAL, "pop_data wants no flags")
        if not length:
            return
        index, offset = self._find(start)
        if index == len(self.elements) or start + length > self.size:
            raise KernelError(Errno.EINVAL, f"pop_data of {length} at {start} of a message of {self.size}")
        left = length
        front = start - offset
        if front:
            element = self.elements[index]
            behind = element.length - front - left
            if behind > 0:
                if self.full:
                    page = bytearray(element.view[:front]) + element.view[front + left :]
                    self.elements[index] = Element(page, 0, len(page))
                else:
                    parts = [element.part(0, front), element.part(front + left, behind)]
                    self.elements[index : index + 1] = parts
                left = 0
            else:
                left -= element.length - front
                element.length = front
            index += 1
        while left:
            element = self.elements[index]
            if left < element.length:
                element.cut(left)
                left = 0
            else:
                left -= element.length
                del self.elements[index]
        self.size -= length
        self.show_first()
