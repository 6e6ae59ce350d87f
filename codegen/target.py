"""What an object is compiled for."""

from __future__ import annotations

CPUS = ("v1", "v2", "v3", "v4")
ENDIANS = ("little", "big")


class Target:
    """The instruction set version `cpu` (one of `CPUS`) and the byte order `endian` (one of `ENDIANS`).

    Raises ValueError for any other value. LLVM's CPU names `generic` and `probe` are among those: the first
    is another name for one of `CPUS` that differs between LLVM versions, the second loads programs into the
    running kernel to find out what it takes.
    """

    __slots__ = ("cpu", "endian")

    def __init__(self, cpu: str = "v3", endian: str = "little") -> None:
        if cpu not in CPUS:
            raise ValueError(f"cpu must be one of {', '.join(CPUS)}, not {cpu!r}")
        if endian not in ENDIANS:
            raise ValueError(f"endian must be one of {', '.join(ENDIANS)}, not {endian!r}")
        self.cpu = cpu
        self.endian = endian

    @property
    def triple(self) -> str:
        """LLVM's name of the target."""
        return "bpfel" if self.endian == "little" else "bpfeb"

    @property
    def has_32_bit_registers(self) -> bool:
        """LLVM computes in halves of registers from v3 on."""
        return self.cpu in ("v3", "v4")

    @property
    def has_signed_division(self) -> bool:
        """The instructions `sdiv` and `smod` came with v4."""
        return self.cpu == "v4"

    @property
    def has_long_branch(self) -> bool:
        """The jump with a 32-bit distance came with v4."""
        return self.cpu == "v4"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Target) and (self.cpu, self.endian) == (other.cpu, other.endian)

    def __hash__(self) -> int:
        return hash((self.cpu, self.endian))

    def __repr__(self) -> str:
        return f"Target(cpu={self.cpu!r}, endian={self.endian!r})"
