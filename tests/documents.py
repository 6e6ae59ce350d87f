"""Runs what a document shows, block by block, in the order in which a reader would.

- `python`: a block that begins with `# NAME.py` is a file: a policy is compiled, a test (`test_NAME.py`) is run
  by pytest. Any other block is a policy without a name, or is executed, but for one that asks a kernel.
- `text` directly behind a block that was executed is what it prints.
- `sh`: `cd` and the commands of skverdict are run; what installs or needs a kernel is left out.
- `c` is compiled for BPF where there is a clang; `json` must be that; `toml` and `yaml` are only shown.

`python -m tests.documents FOLDER` writes each policy that a document shows into a file of that folder, for type
checkers.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from glob import glob
from pathlib import Path
from typing import NamedTuple

from skverdict.dsl import load_policy
from skverdict.runtime.cli import main

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE_NAME = re.compile(r"# (\w+\.py)\n")
PROGRAM = re.compile(r"^@\w+_(?:parser|verdict)$|^@sock_ops$|^@framed\(", re.MULTILINE)
ASKS_A_KERNEL = re.compile(r"\bskverdict\.runtime\.kernel\b|\bKernel\(")
CLANGS = ("clang-19", "clang")


class Block(NamedTuple):
    """A fenced block; `line` is that of its fence, `start` and `end` are places in the document."""

    language: str
    text: str
    line: int
    start: int
    end: int


def blocks(text: str) -> list[Block]:
    return [
        Block(*found.groups(), text.count("\n", 0, found.start()) + 1, found.start(), found.end())
        for found in BLOCK.finditer(text)
    ]


def shown_policies(folder: Path) -> list[Path]:
    """The policies in README and the guides, each in a file of its own in `folder`."""
    root = Path(__file__).parents[1]
    found = []
    for document in (root / "README.md", *sorted((root / "docs").glob("*.md"))):
        for block in blocks(document.read_text(encoding="utf-8")):
            if block.language == "python" and PROGRAM.search(block.text):
                found.append(folder / f"{document.stem.replace('-', '_')}_line_{block.line}.py")
                found[-1].write_text(block.text, encoding="utf-8")
    return found


class Reader:
    """Follows one document in the working folder; `commands` counts those that were run."""

    def __init__(self, document: Path) -> None:
        self.document = document
        self.commands = 0
        self._text = document.read_text(encoding="utf-8")
        self._output: str | None = None
        self._end = 0

    def follow(self) -> None:
        for block in blocks(self._text):
            assert block.language in LANGUAGES, f"line {block.line}: nothing is known of {block.language!r}"
            directly = not self._text[self._end : block.start].strip()
            if block.language != "text" or not directly:
                self._output = None
            LANGUAGES[block.language](self, block)
            self._end = block.end

    def python(self, block: Block) -> None:
        name = FILE_NAME.match(block.text)
        if name and name[1].startswith("test_"):
            Path(name[1]).write_text(block.text[name.end() :])
            self._pytest(name[1])
        elif name or PROGRAM.search(block.text):
            path = Path(name[1] if name else f"policy{block.line}.py")
            path.write_text(block.text[name.end() :] if name else block.text)
            if PROGRAM.search(block.text):
                assert load_policy(path).module.functions
        elif ASKS_A_KERNEL.search(block.text):
            compile(block.text, self.document, "exec")
        else:
            with redirect_stdout(io.StringIO()) as printed:
                exec(
                    compile("\n" * block.line + block.text, self.document, "exec"),
                    {"__name__": self.document.name},
                )
            self._output = printed.getvalue()

    def _pytest(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def printed(self, block: Block) -> None:
        if self._output is not None:
            assert block.text == self._output, f"line {block.line}: it prints\n{self._output}"
        self._output = None

    def shell(self, block: Block) -> None:
        for line in block.text.splitlines():
            for command in line.split(" && "):
                self._command(shlex.split(command, comments=True), block)

    def _command(self, words: list[str], block: Block) -> None:
        if words[:1] == ["cd"]:
            os.chdir(words[1])
        elif words[:3] == ["python", "-m", "pytest"] and not any("kernel" in word for word in words):
            self._pytest(*words[3:])
        elif words and Path(words[0]).name == "skverdict" and words[1] not in NEED_A_KERNEL:
            self._skverdict(words[1:], block)

    def _skverdict(self, words: list[str], block: Block) -> None:
        self.commands += 1
        target = words.index(">") if ">" in words else len(words)
        assert "|" not in words, f"line {block.line}: pipes are not followed"
        with redirect_stdout(io.StringIO()) as printed:
            code = main([name for word in words[:target] for name in _expanded(word)])
        assert code in EXIT_CODES.get(words[0], (0,)), f"line {block.line}: {words} ended with {code}"
        if target < len(words):
            Path(words[target + 1]).write_text(printed.getvalue())

    def c(self, block: Block) -> None:
        clang = next(filter(None, map(shutil.which, CLANGS)), None)
        if clang is not None:
            command = [clang, "-target", "bpf", "-O2", "-g", "-Wall", "-c", "-x", "c", "-", "-o", os.devnull]
            command[1:1] = ["-I/usr/include/x86_64-linux-gnu"]
            done = subprocess.run(command, input=block.text, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"line {block.line}: {done.stderr}"

    def json_block(self, block: Block) -> None:
        json.loads(block.text)

    def shown(self, block: Block) -> None:
        assert block.text.strip()


def _expanded(word: str) -> list[str]:
    """What a shell makes of a word with wildcards."""
    return sorted(glob(word)) or [word] if "*" in word else [word]


LANGUAGES = {
    "python": Reader.python,
    "text": Reader.printed,
    "sh": Reader.shell,
    "c": Reader.c,
    "json": Reader.json_block,
    "toml": Reader.shown,
    "yaml": Reader.shown,
}

#: Commands that ask the machine's kernel, which no test may.
NEED_A_KERNEL = ("attach", "status", "detach", "doctor")
#: Exit codes that a document's commands may end with, where that is not only 0.
EXIT_CODES = {"diff": (0, 3)}


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    print(f"{len(shown_policies(target))} policies in {target}")
