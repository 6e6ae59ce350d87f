"""Global variables of an object as user space sees them: by name, with the Python values of `maps.typed`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from mmap import mmap
from typing import Any, NamedTuple, cast

from skverdict.codegen.btf_types import Variable as BtfVariable
from skverdict.codegen.object import Object
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.memory import ByteOrder
from skverdict.runtime.maps.typed import Codec, codec_of

#: The bytes of a section, where programs see them.
Content = bytearray | memoryview | mmap


class Variable(NamedTuple):
    """A variable at `offset` bytes of `section`; a `read_only` one stays as programs were loaded with it."""

    section: str
    offset: int
    codec: Codec
    read_only: bool

    @property
    def part(self) -> slice:
        return slice(self.offset, self.offset + self.codec.size)


def variables(object_: Object) -> dict[str, Variable]:
    """The variables of an object by name; those without a type are bytes, or a number of their size."""
    order, btf = cast(ByteOrder, object_.endian), object_.btf
    found = {}
    for section in object_.data.values():
        for name, (offset, size) in section.variables.items():
            type_id = btf.find(name, "var") if btf is not None else None
            described = btf.type(type_id) if btf is not None and type_id is not None else None
            value = described.type_id if isinstance(described, BtfVariable) else 0
            codec = codec_of(btf, value, size, order)
            found[name] = Variable(section.name, offset, codec, section.read_only)
    return found


class UnknownVariable(KeyError):
    """There is no variable of that name; says which there are."""

    def __str__(self) -> str:
        return str(self.args[0])


def _named(known: Mapping[str, Variable], name: str) -> Variable:
    if name not in known:
        raise UnknownVariable(f"no variable {name!r}; there are {', '.join(known) or 'none'}")
    return known[name]


def with_values(object_: Object, values: Mapping[str, Any]) -> dict[str, bytes]:
    """The first content of the data sections in which `values` are set, by section.

    Raises UnknownVariable, and ValueMismatch for a value that does not fit.
    """
    known = variables(object_)
    contents: dict[str, bytearray] = {}
    for name, value in values.items():
        variable = _named(known, name)
        whole = bytearray(object_.data[variable.section].content)
        content = contents.setdefault(variable.section, whole)
        content[variable.part] = variable.codec.encode(value, f"variable {name}")
    return {section: bytes(content) for section, content in contents.items()}


class Globals(MutableMapping[str, Any]):
    """The variables of programs that are loaded; `contents` are the sections that they lie in.

    Raises UnknownVariable, ValueMismatch for a value that does not fit, and OSError EPERM for a change of one
    that is constant: that is given before the programs are loaded.
    """

    def __init__(self, object_: Object, contents: Mapping[str, Content]) -> None:
        self._variables = variables(object_)
        self._contents = contents

    def __getitem__(self, name: str) -> Any:
        variable = _named(self._variables, name)
        return variable.codec.decode(bytes(self._contents[variable.section][variable.part]))

    def __setitem__(self, name: str, value: Any) -> None:
        variable = _named(self._variables, name)
        if variable.read_only:
            raise KernelError(Errno.EPERM, f"variable {name} is constant since the programs were loaded")
        content = variable.codec.encode(value, f"variable {name}")
        self._contents[variable.section][variable.part] = content

    def __delitem__(self, name: str) -> None:
        raise TypeError("variables cannot be removed")

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)

    def __repr__(self) -> str:
        return f"<variables {', '.join(self) or 'none'}>"
