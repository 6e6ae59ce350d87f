"""Write `docs/errors.md`; with `--expected`, first write what the compiler says now into the corpus.

    python -m tests.corpus.rejected [--expected]
"""

from __future__ import annotations

import argparse

from tests.corpus.rejected import FOLDER, GALLERY, gallery, rendered, topics


def write_expected() -> None:
    """Put what the compiler says of each policy into the corpus."""
    for topic in topics():
        parts = [topic.summary]
        parts += [f"=== {entry.title}\n{entry.text}---\n{rendered(entry.text)}" for entry in topic.entries]
        (FOLDER / f"{topic.name}.txt").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.corpus.rejected", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--expected", action="store_true", help="take what the compiler says now for right")
    if parser.parse_args().expected:
        write_expected()
    GALLERY.write_text(gallery(), encoding="utf-8")


if __name__ == "__main__":
    main()
