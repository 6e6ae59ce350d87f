"""Fetch the libbpf of another Debian release into the cache folder, and print the path of the library.

    python -m tests.kernel.fetch_libbpf trixie

gives a path for `python -m tests.kernel --libbpf PATH`. A second run finds it there. Nothing is installed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.interop.debian import DebianError, Release, unpack
from tests.interop.toolchain import LIBBPF, cache_folder

PACKAGE = "libbpf1"


def fetch(name: str, target: Path) -> None:
    """Fetch the library of Debian release `name` to `target`. Raises DebianError."""
    with tempfile.TemporaryDirectory(prefix="skverdict-apt-") as state:
        root = Path(state) / "root"
        root.mkdir()
        unpack(Release(name, Path(state) / "apt").download((), [PACKAGE]), root)
        libraries = sorted(root.rglob(LIBBPF))
        if not libraries:
            raise DebianError(f"{PACKAGE} of {name} has no {LIBBPF}")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(libraries[0], target)


def main() -> int:
    summary = __doc__.split("\n", 1)[0]
    parser = argparse.ArgumentParser(prog="python -m tests.kernel.fetch_libbpf", description=summary)
    parser.add_argument("release", help="a Debian release, such as bookworm, trixie or sid")
    release = parser.parse_args().release
    target = cache_folder() / "libbpf" / release / LIBBPF
    try:
        if not target.is_file():
            fetch(release, target)
    except DebianError as error:
        print(f"fetch_libbpf: {error}", file=sys.stderr)
        return 1
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
