"""What the guest's Python imports beside its standard library: skverdict, and packages from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from tests.kernel.initramfs import SOURCES

PACKAGES = ("dsl", "codegen", "runtime")
OUTSIDE = ("elftools",)
SUFFIXES = (".py", ".lark")


def _files(folder: Path, name: str) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.suffix in SUFFIXES:
            yield f"{name}/{path.relative_to(folder)}", path.read_bytes()


def package_files(outside: Sequence[str] = OUTSIDE) -> dict[str, bytes]:
    """The files by path from the repository's root in the guest, where its Python finds them. `outside` are
    packages and modules that are installed here; by default the one that reads ELF."""
    files: dict[str, bytes] = {}
    for package in PACKAGES:
        files.update(_files(SOURCES / package, f"skverdict/{package}"))
    for package in outside:
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"{package} is not installed", name=package)
        origin = Path(spec.origin)
        alone = spec.submodule_search_locations is None
        files.update({origin.name: origin.read_bytes()} if alone else _files(origin.parent, package))
    return files
