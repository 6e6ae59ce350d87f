"""The memory that native code and Python share, and what of Python's memory native code has been shown."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable

from skverdict.runtime.machine.call_graph import MAX_FRAMES
from skverdict.runtime.machine.memory import PACK, STACK_SIZE, UNPACK, ByteOrder, Region, StackFrame
from skverdict.runtime.native import layout

_ALIGNMENT = 64
_PY_BUF_SIMPLE = 0

#: Does the instruction at a slot for native code, whose frame is given.
Perform = Callable[[int, int], None]
# From the shared memory, the slot and the frame to 0 if native code may go on.
_PERFORM = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)

WORD = struct.Struct("=Q")
#: A call that native code made, an address that it gave, and where a packet is, all as `layout` has them.
CALL = struct.Struct("=QQ")
_GIVEN = PLACE = struct.Struct("=QQQ")
_ROW = struct.Struct("=6Q")
_GIVES = struct.Struct("=2Q")
_ASKED = struct.Struct("=7Q")
_get, _put = WORD.unpack_from, WORD.pack_into


class _PyBuffer(ctypes.Structure):
    """`Py_buffer` of the stable interface."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.py_object),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


_get_buffer = ctypes.pythonapi.PyObject_GetBuffer
_get_buffer.argtypes = (ctypes.py_object, ctypes.POINTER(_PyBuffer), ctypes.c_int)
_get_buffer.restype = ctypes.c_int
_release_buffer = ctypes.pythonapi.PyBuffer_Release
_release_buffer.argtypes = (ctypes.POINTER(_PyBuffer),)
_release_buffer.restype = None


class Pins:
    """Memory of Python objects that must stay where it is as long as native code may reach it."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[object, _PyBuffer]] = {}

    def address(self, content: bytearray | memoryview) -> int:
        """Where the bytes are. They cannot be moved or resized until they are released."""
        held = self._held.get(id(content))
        if held is None:
            view = _PyBuffer()
            _get_buffer(content, view, _PY_BUF_SIMPLE)
            held = self._held[id(content)] = (content, view)
        return held[1].buf or 0

    def release(self, content: object) -> None:
        """Let the bytes go."""
        held = self._held.pop(id(content), None)
        if held is not None:
            _release_buffer(held[1])

    def release_all(self) -> None:
        for _, view in self._held.values():
            _release_buffer(view)
        self._held.clear()


class Shared:
    """The shared memory itself (`layout`), for one run at a time.

    `perform` is what the run does for native code, and `failure` what that has raised.
    """

    def __init__(self) -> None:
        self.perform: Perform | None = None
        self.failure: BaseException | None = None
        self._whole = ctypes.create_string_buffer(layout.SIZE + _ALIGNMENT)
        start = -ctypes.addressof(self._whole) % _ALIGNMENT
        self.memory = memoryview(self._whole).cast("B")[start : start + layout.SIZE]
        self.address = ctypes.addressof(self._whole) + start
        self._frames = self.address + layout.FRAMES
        self._called = _PERFORM(self._call)
        self[layout.PERFORM] = ctypes.cast(self._called, ctypes.c_void_p).value or 0
        self[layout.FRAMES_END] = self.frame(MAX_FRAMES)
        self[self.in_frame(0, layout.FRAME_NUMBER)] = layout.FIRST_FRAME
        # The row of the program's own stack, which is always there and has always the same number.
        unwritten = self._frames + layout.FRAME_UNWRITTEN
        self._own_stack = _ROW.pack(layout.FIRST_FRAME, self._frames, STACK_SIZE, STACK_SIZE, 0, unwritten)
        self._calls = ctypes.create_string_buffer(layout.ROOM_FOR_CALLS * layout.CALL_SIZE)
        self[layout.CALLS] = ctypes.addressof(self._calls)
        self._given = ctypes.create_string_buffer(layout.MAX_GIVEN * layout.GIVEN_SIZE)
        self[layout.GIVEN] = ctypes.addressof(self._given)

    def _call(self, _: int, slot: int, frame: int) -> int:
        try:
            assert self.perform is not None
            self.perform(slot, frame)
        except BaseException as error:  # it must not cross native code, which knows nothing of it
            self.failure = error
            return 1
        return 0

    def __getitem__(self, offset: int) -> int:
        """The number at `offset`."""
        return _get(self.memory, offset)[0]  # type: ignore[no-any-return]

    def __setitem__(self, offset: int, value: int) -> None:
        _put(self.memory, offset, value)

    def show_own_stack(self, marked: bool) -> None:
        """Let native code reach the program's own stack by any address, if it is `marked` there which bytes of it were
        written."""
        place = layout.region_place(layout.FIRST_FRAME)
        self.memory[place : place + _ROW.size] = self._own_stack if marked else bytes(_ROW.size)

    def take_calls(self) -> bytes:
        """The calls that native code has made by itself since this was last asked, as rows of `layout`."""
        count, self[layout.CALL_COUNT] = self[layout.CALL_COUNT], 0
        return ctypes.string_at(self._calls, count * layout.CALL_SIZE)

    def take_given(self) -> list[tuple[int, int, int]]:
        """The addresses that native code has given to entries of maps since this was last asked: the table's
        place, the index, the address."""
        count, self[layout.GIVEN_COUNT] = self[layout.GIVEN_COUNT], 0
        return list(_GIVEN.iter_unpack(ctypes.string_at(self._given, count * layout.GIVEN_SIZE)))

    def asked(self) -> tuple[int, ...]:
        """What native code tells of an instruction that Python is to do: the highest number of a region, how many
        calls it has made by itself, and the operands."""
        return _ASKED.unpack_from(self.memory, layout.LAST_REGION)

    def give(self, value: int, distance: int) -> None:
        """What the instruction gave, and how far its address is from the bytes behind it."""
        _GIVES.pack_into(self.memory, layout.VALUE, value, distance)

    def words(self, offset: int, count: int) -> tuple[int, ...]:
        """Numbers that lie side by side."""
        return struct.unpack_from(f"={count}Q", self.memory, offset)

    def frame(self, level: int) -> int:
        """The address of a frame, the program's own being level 0."""
        return self.address + layout.FRAMES + level * layout.FRAME_SIZE

    def level(self, frame: int) -> int:
        """The level of the frame at an address."""
        return (frame - self._frames) // layout.FRAME_SIZE

    def in_frame(self, level: int, offset: int) -> int:
        """Where something of a frame lies, from the start of the shared memory."""
        return layout.FRAMES + level * layout.FRAME_SIZE + offset


_UNWRITTEN = b"\xff" * (STACK_SIZE // 8)


class NativeFrame(StackFrame):
    """The stack of a function that runs as native code; `fresh`: none of its bytes was written yet.

    `written` are the bytes that are known to be written where the function is now; of others the shared memory
    tells.
    """

    def __init__(self, shared: Shared, level: int, order: ByteOrder, fresh: bool) -> None:
        self.written = 0
        Region.__init__(self, "the stack")
        self._unpack, self._pack = UNPACK[order], PACK[order]
        self._order = order
        self.begin = shared.in_frame(level, 0)
        self.content = shared.memory[self.begin : self.begin + STACK_SIZE]
        bits_at = self.begin + layout.FRAME_UNWRITTEN
        self._bits = shared.memory[bits_at : bits_at + STACK_SIZE // 8]
        if fresh:
            self._bits[:] = _UNWRITTEN

    @property
    def unwritten(self) -> int:
        return int.from_bytes(self._bits, "little") & ~self.written

    @unwritten.setter
    def unwritten(self, bits: int) -> None:
        self._bits[:] = bits.to_bytes(STACK_SIZE // 8, "little")

    def taken_out(self) -> StackFrame:
        """The same for the interpreter, in memory of its own."""
        frame = StackFrame(self._order)
        frame.content[:] = self.content
        frame.unwritten = self.unwritten
        return frame
