"""What README and the guides say works: policies are written to files, code is run, commands are called.

A block of Python that begins with `# NAME.py` is a file; the blocks after it find it in the working folder.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest
from skverdict.dsl import load_policy
from skverdict.runtime.cli import main

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "docs/writing-policies.md")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE_NAME = re.compile(r"# (\w+\.py)\n")
PROGRAM = re.compile(r"^@\w+_(?:parser|verdict)$", re.MULTILINE)


class Block(NamedTuple):
    language: str
    text: str
    line: int


def blocks(document: str) -> list[Block]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return [Block(*found.groups(), text.count("\n", 0, found.start()) + 1) for found in BLOCK.finditer(text)]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_code_blocks_work(document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("examples").symlink_to(ROOT / "examples")
    for number, block in enumerate(blocks(document)):
        if block.language != "python":
            continue
        name = FILE_NAME.match(block.text)
        if name or PROGRAM.search(block.text):
            path = Path(name[1] if name else f"policy{number}.py")
            path.write_text(block.text)
            assert load_policy(path).module.functions
        else:
            exec(compile("\n" * block.line + block.text, document, "exec"), {"__name__": document})


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_work(
    document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("examples").symlink_to(ROOT / "examples")
    called = 0
    for block in blocks(document):
        if name := FILE_NAME.match(block.text):
            Path(name[1]).write_text(block.text)
        for line in block.text.splitlines() if block.language == "sh" else ():
            for command in line.split(" && "):
                words = shlex.split(command, comments=True)
                if words and Path(words[0]).name == "skverdict":
                    assert main(words[1:]) == 0, capsys.readouterr().err
                    called += 1
    assert called


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    for link in re.findall(r"\]\(([^)#]+)", (ROOT / document).read_text(encoding="utf-8")):
        assert (ROOT / document).parent.joinpath(link).exists(), link
