"""uBPF (https://github.com/iovisor/ubpf) through its shared library: its interpreter and its JIT.

It runs on the machine's own memory, so a program gets what the kernel would give it: a context with pointers of
32 bits to a packet that lies below 4 GiB. Its JIT checks no bounds and has no limit on instructions; the
interpreter's bounds check is off, since it knows of no other memory than the context and the stack.
"""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Mapping
from pathlib import Path

import llvmlite.binding as llvm
from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import WIDE, encode_instructions
from skverdict.codegen.object import Program

from bench.measure import BenchError

_ERROR = ctypes.POINTER(ctypes.c_char_p)
_FUNCTIONS = {
    "ubpf_create": (ctypes.c_void_p,),
    "ubpf_destroy": (None, ctypes.c_void_p),
    "ubpf_load": (ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32, _ERROR),
    "ubpf_register": (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_char_p, ctypes.c_void_p),
    "ubpf_toggle_bounds_check": (ctypes.c_bool, ctypes.c_void_p, ctypes.c_bool),
    "ubpf_compile": (ctypes.c_void_p, ctypes.c_void_p, _ERROR),
}
_CALL, _LOOKUP = 0x85, 1
_MAP_PRIVATE, _MAP_ANONYMOUS, _MAP_32BIT, _READ_WRITE = 2, 0x20, 0x40, 3

# Both engines go round in native code, and both kinds of helper are native code: an array's lookup, and one that
# gives 0. A map is the number of its entries, the size of a value, and its values.
_SUPPORT = """
define i64 @repeat_jit(ptr %code, ptr %memory, i64 %length, i64 %times) {
  br label %again
again:
  %round = phi i64 [ 0, %0 ], [ %more, %again ]
  %result = call i64 %code(ptr %memory, i64 %length)
  %more = add i64 %round, 1
  %over = icmp eq i64 %more, %times
  br i1 %over, label %out, label %again
out:
  ret i64 %result
}
define i64 @repeat_exec(ptr %exec, ptr %vm, ptr %memory, i64 %length, i64 %times) {
  %place = alloca i64
  br label %again
again:
  %round = phi i64 [ 0, %0 ], [ %more, %again ]
  %failed = call i32 %exec(ptr %vm, ptr %memory, i64 %length, ptr %place)
  %more = add i64 %round, 1
  %over = icmp eq i64 %more, %times
  br i1 %over, label %out, label %again
out:
  %result = load i64, ptr %place
  ret i64 %result
}
define i64 @lookup(i64 %map_address, i64 %key_address, i64 %c, i64 %d, i64 %e) {
  %map = inttoptr i64 %map_address to ptr
  %key_at = inttoptr i64 %key_address to ptr
  %key = load i32, ptr %key_at, align 1
  %index = zext i32 %key to i64
  %entries = load i64, ptr %map
  %inside = icmp ult i64 %index, %entries
  br i1 %inside, label %there, label %none
there:
  %size_at = getelementptr i64, ptr %map, i64 1
  %size = load i64, ptr %size_at
  %values = getelementptr i64, ptr %map, i64 2
  %offset = mul i64 %index, %size
  %value = getelementptr i8, ptr %values, i64 %offset
  %address = ptrtoint ptr %value to i64
  ret i64 %address
none:
  ret i64 0
}
define i64 @nothing(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e) {
  ret i64 0
}
"""


def build(script: Path) -> Path:
    """Run the script that builds uBPF; the path of the library, which it prints last. Raises BenchError."""
    done = subprocess.run([str(script)] if script.stat().st_mode & 0o100 else ["sh", str(script)],
                          capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode or not done.stdout.strip():
        raise BenchError(f"{script} failed ({done.returncode}):\n{done.stderr}")
    return Path(done.stdout.strip().splitlines()[-1])


class Low:
    """Memory below 4 GiB, which is where 32-bit pointers of a context can lead to."""

    def __init__(self, size: int) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        flags = _MAP_PRIVATE | _MAP_ANONYMOUS | _MAP_32BIT
        self.address = libc.mmap(None, size, _READ_WRITE, flags, -1, 0)
        if self.address in (None, ctypes.c_void_p(-1).value):
            raise BenchError("there is no memory below 4 GiB to be had")


class Ubpf:
    """The library, with what the benchmark calls beside it."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))
        for name, (result, *arguments) in _FUNCTIONS.items():
            function = getattr(self._library, name)
            function.restype, function.argtypes = result, arguments
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine(opt=2, jit=True)
        self._support = llvm.create_mcjit_compiler(llvm.parse_assembly(_SUPPORT), machine)
        self._support.finalize_object()
        jit, exec_ = (self.address(name) for name in ("repeat_jit", "repeat_exec"))
        self._repeat_jit = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_void_p] * 2, *[ctypes.c_uint64] * 2)(jit)
        self._repeat_exec = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_void_p] * 3, *[ctypes.c_uint64] * 2)(exec_)

    def address(self, name: str) -> int:
        """The address of a function of the support code."""
        address: int = self._support.get_function_address(name)
        return address

    def load(self, program: Program, places: Mapping[int, int]) -> Loaded:
        """Load a program; `places` are the addresses that wide instructions load, by slot. Raises BenchError."""
        return Loaded(self, self._library, program, places)

    def repeat(self, loaded: Loaded, memory: int, length: int, times: int, jit: bool) -> int:
        """Run a program a number of times; what it gave last."""
        if jit:
            return int(self._repeat_jit(loaded.code, memory, length, times))
        exec_ = ctypes.cast(self._library.ubpf_exec, ctypes.c_void_p).value
        return int(self._repeat_exec(exec_, loaded.vm, memory, length, times))


class Loaded:
    """A program in a virtual machine of uBPF, compiled too."""

    def __init__(self, ubpf: Ubpf, library: ctypes.CDLL, program: Program, places: Mapping[int, int]) -> None:
        self._library = library
        self.vm = library.ubpf_create()
        library.ubpf_toggle_bounds_check(self.vm, False)
        numbers: dict[int, int] = {}
        slots: dict[int, Instruction] = {}
        for slot, instruction in program.instructions.items():
            if slot in places:
                instruction = instruction._replace(src=0, imm=places[slot])
            elif instruction.opcode == _CALL and not instruction.src:
                # uBPF has fewer numbers for helpers than the kernel.
                instruction = instruction._replace(imm=numbers.setdefault(instruction.imm, len(numbers) + 1))
            elif instruction.opcode == WIDE and instruction.src:
                raise BenchError(f"{program.name} loads an address that uBPF cannot have")
            slots[slot] = instruction
        for helper, number in numbers.items():
            function = ubpf.address("lookup" if helper == _LOOKUP else "nothing")
            library.ubpf_register(self.vm, number, f"helper{helper}".encode(), function)
        code, error = encode_instructions(slots, "little"), ctypes.c_char_p()
        if library.ubpf_load(self.vm, code, len(code), ctypes.byref(error)):
            raise BenchError(f"uBPF does not load {program.name}: {(error.value or b'').decode()}")
        self.code = library.ubpf_compile(self.vm, ctypes.byref(error))
        if not self.code:
            raise BenchError(f"uBPF does not compile {program.name}: {(error.value or b'').decode()}")

    def __del__(self) -> None:
        self._library.ubpf_destroy(self.vm)
