"""Numbers and layouts of ELF64 (System V ABI; BPF's relocations: Documentation/bpf/llvm_reloc.rst)."""

from __future__ import annotations

EM_BPF = 247
ET_REL = 1

SHT_PROGBITS = 1
SHT_SYMTAB = 2
SHT_STRTAB = 3
SHT_NOBITS = 8
SHT_REL = 9

SHF_WRITE = 1
SHF_ALLOC = 2
SHF_EXECINSTR = 4
SHF_INFO_LINK = 0x40

STB_LOCAL = 0
STB_GLOBAL = 1
STT_NOTYPE = 0
STT_OBJECT = 1
STT_FUNC = 2
STT_SECTION = 3

R_BPF_64_64 = 1  # the wide instruction that loads an address
R_BPF_64_32 = 10  # the call of a function

# `struct` formats without byte order.
HEADER = "16sHHIQQQIHHHHHH"
SECTION = "IIQQQQIIQQ"
SYMBOL = "IBBHQQ"
RELOCATION = "QQ"

HEADER_SIZE = 64
SECTION_SIZE = 64
SYMBOL_SIZE = 24
RELOCATION_SIZE = 16
