"""What the commands that boot guests have in common: options, images of kernels, and their end if no guest can run."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from tests.corpus.scenario_file import KERNELS
from tests.interop.debian import DebianError
from tests.interop.toolchain import FETCH, Tree, cache_folder, fetched_tree
from tests.kernel import image
from tests.kernel.fetch_kernel import fetch, image_in
from tests.kernel.guest import GuestError

#: The Debian release that has each kernel.
RELEASES = dict(zip(KERNELS, ("bookworm", "trixie", "sid"), strict=True))
#: The exit status of a command that could not do what it is for.
UNABLE = 2


def parser(name: str, document: str | None, seconds: int, several: bool = False) -> ArgumentParser:
    """The parser of command `python -m NAME`, with `--kernel`, which may name `several`, and `--seconds`."""
    made = ArgumentParser(prog=f"python -m {name}", description=(document or "").split("\n", 1)[0])
    if several:
        made.add_argument("--kernel", action="append", default=[], metavar="NAME=PATH", help="an image to use")
    else:
        made.add_argument("--kernel", type=Path, metavar="PATH", help="an image (default: the newest in /boot)")
    made.add_argument("--seconds", type=float, default=seconds, help="time limit of a guest (default %(default)s)")
    return made


def with_guests(name: str, act: Callable[[Tree], int]) -> int:
    """The exit status of `act`, which is given what guests need; `UNABLE`, and a line that says why, without guests."""
    tree = fetched_tree()
    if tree is None:
        print(f"{name}: no libbpf for the guest in the cache; fetch it with: {FETCH}", file=sys.stderr)
        return UNABLE
    try:
        return act(tree)
    except (DebianError, image.ImageError, GuestError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return UNABLE


def images(given: Sequence[str], names: Iterable[str] = ()) -> Iterator[tuple[str, Path]]:
    """The kernels of such names (all that are given, or that are known) with their images: those of `given`, each
    `NAME=PATH`, or `kernel_image`. Raises what that raises."""
    paths = dict(each.split("=", 1) for each in given)
    for name in names or paths or KERNELS:
        yield name, Path(paths[name]) if name in paths else kernel_image(name)


def kernel_image(name: str) -> Path:
    """The image of kernel `name`: of this machine's release, or fetched. Raises ImageError, DebianError."""
    folder = cache_folder() / "kernels" / RELEASES[name]
    mine = [path for path in image.BOOT.glob("vmlinuz-*") if _is(name, path)]
    path = mine[0] if mine else image_in(folder) or fetch(RELEASES[name], folder)
    if not _is(name, path):
        raise image.ImageError(f"{RELEASES[name]} has Linux {image.release(path)} now; give a {name} one")
    return path


def _is(name: str, path: Path) -> bool:
    return ".".join(map(str, image.version(image.release(path)))) == name
