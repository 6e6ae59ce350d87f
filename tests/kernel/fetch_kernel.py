"""Fetch the kernel of another Debian release into the cache folder, and print the path of its image.

    python -m tests.kernel.fetch_kernel trixie

gives a path for `python -m tests.kernel --kernel PATH`. A second run finds it there. Nothing is installed.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path

from tests.interop.debian import DebianError, Release, unpack
from tests.interop.toolchain import cache_folder
from tests.kernel import image

# Debian's name for the newest kernel; what it depends on leads to the package that has the image.
NEWEST = "linux-image-amd64"
_VERSIONED = re.compile(r"linux-(?:image|binary)-\d")


def image_in(folder: Path) -> Path | None:
    """The kernel image that was fetched into `folder`, or None."""
    return next(iter(sorted(folder.glob("vmlinuz-*"))), None)


def packages(release: Release) -> list[str]:
    """The packages, of those that NEWEST leads to, that may have the image."""
    found: list[str] = []
    pending = [NEWEST]
    while pending:
        names = [name for name in release.dependencies(pending.pop()) if _VERSIONED.match(name)]
        pending += [name for name in names if name not in found]
        found += names
    return found


def fetch(name: str, target: Path) -> Path:
    """Fetch the newest kernel of Debian release `name` into `target`; gives the image. Raises DebianError."""
    with tempfile.TemporaryDirectory(prefix="skverdict-apt-") as state:
        release = Release(name, Path(state) / "apt")
        root = Path(state) / "root"
        root.mkdir()
        unpack(release.download((), packages(release)), root)
        # In /boot, or beside the modules.
        images = [path for path in sorted(root.rglob("vmlinuz*")) if path.is_file()]
        if not images:
            raise DebianError(f"the kernel packages of {name} have no image")
        target.mkdir(parents=True, exist_ok=True)
        return Path(shutil.move(images[0], target / f"vmlinuz-{image.release(images[0])}"))


def main() -> int:
    summary = __doc__.split("\n", 1)[0]
    parser = argparse.ArgumentParser(prog="python -m tests.kernel.fetch_kernel", description=summary)
    parser.add_argument("release", help="a Debian release, such as trixie or sid")
    arguments = parser.parse_args()
    target = cache_folder() / "kernels" / arguments.release
    try:
        print(image_in(target) or fetch(arguments.release, target))
    except (DebianError, image.ImageError) as error:
        print(f"fetch_kernel: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
