"""What a kernel backend is given to run: the bytes of an object, and what is known of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from skverdict.codegen.object import Object
from skverdict.codegen.object_reader import read_object
from skverdict.runtime.kernel.errors import KernelUseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from skverdict.dsl import Policy
    from skverdict.dsl.errors import Diagnostic


class Source(NamedTuple):
    """An object file: its bytes for libbpf, read, and a name for the kernel's lists, such as `policy`."""

    content: bytes
    object: Object
    name: str


def read_source(
    source: Policy | Source | bytes | str | os.PathLike[str], warn: Callable[[Diagnostic], None] | None = None
) -> Source:
    """Make one of a policy, the bytes of an object, or the path of a `.o`; one that was made stays as it is.

    `warn` is called with what deserves a look in a policy; without one it is issued as PolicyWarning. Raises
    ObjectError, OSError and CodegenError as reading and building do, and KernelUseError for an object
    that is for machines of the other byte order.
    """
    if isinstance(source, Source):
        return source
    content, name = _bytes_of(source, warn)
    read = read_object(content, f"{name}.o")
    if read.endian != sys.byteorder:
        raise KernelUseError(f"{name}.o is for {read.endian}-endian machines, and this one is not")
    return Source(content, read, name)


def _bytes_of(
    source: Policy | bytes | str | os.PathLike[str], warn: Callable[[Diagnostic], None] | None
) -> tuple[bytes, str]:
    if isinstance(source, (bytes, bytearray)):
        return bytes(source), "object"
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if path.suffix == ".py":
            raise KernelUseError(f"{path} is a policy; give load_policy({str(path)!r})")
        return path.read_bytes(), path.stem
    if isinstance(source, Object):
        raise KernelUseError("an Object that was read cannot be loaded; give the bytes or the path of it")
    from skverdict.codegen import Target, build

    return build(source, Target(endian=sys.byteorder), warn=warn), Path(source.path).stem
