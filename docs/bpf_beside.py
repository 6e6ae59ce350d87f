"""A hook of mkdocs: on the page on the language, each policy has the BPF that it becomes in a tab beside it.

The page's source holds the policies alone. What the tab shows is compiled when the site is built.
"""

from __future__ import annotations

import ast
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent
from typing import Any

from skverdict.codegen import build, read_object
from skverdict.codegen.instruction_text import instruction_text
from skverdict.codegen.object import Program
from skverdict.dsl import load_policy

PAGE = "language.md"
POLICY = re.compile(r"^```python\n# (\w+)\.py\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put the BPF beside the policies of the page on the language."""
    return with_bpf(markdown) if page.file.src_uri == PAGE else markdown


def with_bpf(markdown: str) -> str:
    """The page with a pair of tabs in place of each block that is a policy with a name."""

    def tabs(found: re.Match[str]) -> str:
        compiled = f"```text\n{listing(found[1], found[2])}\n```"
        return f'=== "Policy"\n\n{indent(found[0], "    ")}\n\n=== "BPF"\n\n{indent(compiled, "    ")}\n'

    return POLICY.sub(tabs, markdown)


def listing(name: str, source: str) -> str:
    """Each program of a policy: the source of its functions, and below each line the instructions that it became."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{name}.py")
        path.write_text(source, encoding="utf-8")
        content = read_object(build(load_policy(path)))
    programs = content.programs.values()
    return "\n\n".join("\n".join(_lines(program, path.name, source)) for program in programs)


def _lines(program: Program, file: str, source: str) -> Iterator[str]:
    slots = defaultdict(list)
    elsewhere = 0
    for slot in sorted(program.instructions):
        line = program.line_at(slot)
        assert line is not None, f"instruction {slot} of {program.name} has no line"
        if line.file == file:
            slots[line.line].append(slot)
        else:
            elsewhere += 1
    yield f"program {program.name}, section {program.section}"
    text = source.splitlines()
    for first, last in _functions(source):
        if any(first <= line <= last for line in slots):
            for number in range(first, last + 1):
                yield text[number - 1]
                for slot in slots[number]:
                    yield f"{slot:12}: {instruction_text(program, slot, program.functions)}"
    if elsewhere:
        yield f"and {elsewhere} instructions that the compiler brings along"


def _functions(source: str) -> Iterator[tuple[int, int]]:
    """The first and the last line of each function."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
            yield node.lineno, node.end_lineno
