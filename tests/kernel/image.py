"""Kernel images: which are on this machine, and which version one is."""

from __future__ import annotations

import re
import struct
from pathlib import Path

BOOT = Path("/boot")
_RELEASE = re.compile(r"(\d+)\.(\d+)")


class ImageError(Exception):
    """A file that is no x86 kernel image, or none is there."""


def release(image: Path) -> str:
    """The release (`6.1.0-56-amd64`) that the x86 boot header of `image` names.

    Offsets are Documentation/arch/x86/boot.rst of the kernel. Raises ImageError if it is no such image.
    """
    with image.open("rb") as file:
        head = file.read(0x10000)
    if head[0x202:0x206] != b"HdrS":
        raise ImageError(f"{image} is not an x86 kernel image")
    (pointer,) = struct.unpack_from("<H", head, 0x20E)
    text = head[pointer + 0x200 :].split(b"\0", 1)[0].decode(errors="replace")
    return text.split(" ", 1)[0]


def version(name: str) -> tuple[int, int]:
    """The major and minor version of a release name. Raises ImageError if it begins with none."""
    found = _RELEASE.match(name)
    if found is None:
        raise ImageError(f"{name!r} is no kernel release")
    return int(found[1]), int(found[2])


def newest() -> Path:
    """The newest kernel image under /boot. Raises ImageError, with the remedy, if there is none."""
    images = list(BOOT.glob("vmlinuz-*"))
    if not images:
        raise ImageError(f"no kernel image in {BOOT}; install one with: apt-get install linux-image-amd64")
    return max(images, key=lambda path: [int(number) for number in re.findall(r"\d+", path.name)])
