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
#: Instructions that the budget still allows, and the highest number of a region so far.
LEFT = 8
LAST_REGION = 16
#: What an instruction that Python performed gave, and how far its address is from the bytes behind it.
VALUE = 24
DELTA = 32
#: The packet: its address (0 until the program asks for it), length, where its bytes are, how far they are from
#: the address, and whether they can be written.
PACKET = 40
PACKET_LENGTH = 48
PACKET_BYTES = 56
PACKET_DELTA = 64
PACKET_WRITABLE = 72
#: The slot at which the program has returned, or the frame that was handed back.
SLOT = 80
INNERMOST = SLOT
#: The operands of an instruction for Python, or the arguments of a function.
OPERANDS = 88
#: Where frames end.
FRAMES_END = 128
#: The number of the run, the calls that native code has made by itself, and where they are noted.
RUN = 144
CALL_COUNT = 152
CALLS = 160
#: Addresses that native code has given to entries of maps, and how many.
GIVEN_COUNT = 168
GIVEN = 176
#: The run that is under way, whether Python had to do with it, how it ended, and everybody's budget.
CURRENT = 184
TOUCHED = 192
END = 200
BUDGET = 208
#: The calls that native code had made by itself when the run began.
CALL_START = 216

#: Numbers of the context, and the addresses of maps and data sections with the distances to their bytes.
FIELDS = 256
MAX_FIELDS = 64
ADDRESSES = FIELDS + MAX_FIELDS * WORD
DELTAS = ADDRESSES + MAX_FIELDS * WORD
#: Where the bytes of data sections are.
BYTES = DELTAS + MAX_FIELDS * WORD
#: The tables of array maps and how many entries they have.
TABLES = BYTES + MAX_FIELDS * WORD
MAX_TABLES = 16
TABLE_LENGTHS = TABLES + MAX_TABLES * WORD

#: A call that native code made: the slot, the index, the result.
CALL_SIZE = 24
MAX_CALLS = 4096
#: An address that it gave: the place of the table, the index, the address.
GIVEN_SIZE = 24
MAX_GIVEN = 256

#: Regions that were met, each at its number modulo how many there are places.
REGIONS = 4096
REGION_SIZE = 64
REGION_PLACES = 64
REGION_NUMBER, REGION_BYTES, REGION_READABLE, REGION_WRITABLE, REGION_ATOMIC, REGION_UNWRITTEN = range(0, 48, WORD)

#: A run: where its packet is, its length, and whether it can be written; r0, what was left of the
#: budget, and how many calls there were at its end; and from there on the fields of the context.
ROW_PACKET, ROW_LENGTH, ROW_WRITABLE, ROW_VALUE, ROW_LEFT, ROW_CALLS, ROW_FIELDS = range(0, 56, WORD)

FRAMES = REGIONS + REGION_PLACES * REGION_SIZE
FRAME_SIZE = 1024
FRAME_UNWRITTEN = STACK_SIZE
FRAME_NUMBER = FRAME_UNWRITTEN + STACK_SIZE // 8 + WORD
FRAME_SLOT = FRAME_NUMBER + WORD
FRAME_LOOPS = FRAME_SLOT + WORD
FRAME_REGISTERS = FRAME_LOOPS + WORD

SIZE = FRAMES + MAX_FRAMES * FRAME_SIZE

#: What native code gives back: it has returned, Python has stopped it, or the interpreter must go on.
RETURNED, STOPPED, HANDED_BACK = range(3)
