"""The memory that native code and Python share in a run: where each thing lies, in bytes from its start.

Everything is a 64-bit number in the processor's own byte order.

Frame n of the run has its stack, one bit for each byte of it that was not written yet (as
`StackFrame.unwritten`), the registers that it leaves to the interpreter, and the slot to go on at there.
"""

from __future__ import annotations

from skverdict.runtime.machine.call_graph import MAX_FRAMES
from skverdict.runtime.machine.memory import STACK_SIZE

WORD = 8

#: The function that performs one instruction in Python.
PERFORM = 0
#: Instructions that the budget still allows.
LEFT = 8
#: What an instruction that Python performed gave, and how far its address is from the bytes behind it.
VALUE = 16
DELTA = 24
#: The address of the packet, 0 until the program asks for it.
PACKET = 32
#: The row of the run that is under way.
ROW = 40
#: The slot at which the program has returned, or the frame that was handed back.
SLOT = 48
INNERMOST = SLOT
#: The highest number of a region so far, how many calls native code has made by itself, and the operands of an
#: instruction for Python.
LAST_REGION = 56
CALL_COUNT = 64
OPERANDS = 72
#: Where frames end.
FRAMES_END = 112
#: The number of the run, and where calls are noted that native code makes by itself.
RUN = 120
CALLS = 128
#: Addresses that native code has given to entries of maps, and how many.
GIVEN_COUNT = 136
GIVEN = 144
#: Whether Python had to do with the run that is under way, how it ended, and everybody's budget.
TOUCHED = 152
END = 160
BUDGET = 168
#: Where native code finds by itself whether a redirect may go somewhere: for a sockmap one byte for each index; for a
#: sockhash the number of entries, then for each that, and behind it the key, filled up to whole numbers.
TARGETS = 176
TARGET_KEY = WORD

#: The addresses of maps and data sections, 0 until the program asks for them; and where the bytes of these are.
ADDRESSES = 256
MAX_FIELDS = 64
BYTES = ADDRESSES + MAX_FIELDS * WORD
#: The tables of maps (`entries`).
TABLES = BYTES + MAX_FIELDS * WORD
MAX_TABLES = 16

#: A call that native code made: the slot in the upper 32 bits and the index or place in the lower, and the result (of a
#: redirect in the lower 32 bits, with its flags in the upper). A loop takes another one, for what it hands on and the
#: function that it calls; it has the number of its rounds for an index.
CALL_SIZE = 16
MAX_CALLS = 16384
#: Loops that are under way are noted when they end.
ROOM_FOR_CALLS = MAX_CALLS + 2 * MAX_FRAMES
#: An address that it gave: the place of the table, the index, the address.
GIVEN_SIZE = 24
MAX_GIVEN = 256

#: Regions that were met, each at its number modulo how many there are places.
REGIONS = 4096
REGION_SIZE = 64
REGION_PLACES = 64
REGION_NUMBER, REGION_BYTES, REGION_READABLE, REGION_WRITABLE, REGION_ATOMIC, REGION_UNWRITTEN = range(0, 48, WORD)


def region_place(number: int) -> int:
    """Where native code looks for a region."""
    return REGIONS + number % REGION_PLACES * REGION_SIZE


#: A run: where its packet is, its length, and whether it can be written; r0, how many instructions there were, and
#: how many calls had been made at its end; and from there on the fields of the context.
ROW_PACKET, ROW_LENGTH, ROW_WRITABLE, ROW_VALUE, ROW_SPENT, ROW_CALLS, ROW_FIELDS = range(0, 56, WORD)

#: The region that the program's own stack is: the context is the first.
FIRST_FRAME = 2
FRAMES = REGIONS + REGION_PLACES * REGION_SIZE
FRAME_SIZE = 1024
FRAME_UNWRITTEN = STACK_SIZE
FRAME_NUMBER = FRAME_UNWRITTEN + STACK_SIZE // 8 + WORD
FRAME_SLOT = FRAME_NUMBER + WORD
FRAME_LOOPS = FRAME_SLOT + WORD
#: Of a loop whose round is under way: which one that is, how many there are to be, and what is handed to it.
FRAME_ROUND = FRAME_LOOPS + WORD
FRAME_ROUNDS = FRAME_ROUND + WORD
FRAME_CONTEXT = FRAME_ROUNDS + WORD
FRAME_REGISTERS = FRAME_CONTEXT + WORD

SIZE = FRAMES + MAX_FRAMES * FRAME_SIZE

#: What native code gives back: it has returned, Python has stopped it, or the interpreter must go on.
RETURNED, STOPPED, HANDED_BACK = range(3)
