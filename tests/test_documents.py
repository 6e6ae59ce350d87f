"""What README and the guides say works, and the pages that are made from tables are as the tables are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from skverdict import dsl
from skverdict.runtime.cli.commands import COMMANDS

from docs.bpf_beside import listing, with_bpf
from docs.tables import PAGES
from tests.documents import Reader, blocks

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_shows_works(
    document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("examples").symlink_to(ROOT / "examples")
    Reader(ROOT / document).follow()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for block in reversed(blocks(text)):
        text = text[: block.start] + text[block.end :]
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert "://" in link or (ROOT / document).parent.joinpath(link).exists(), link


def test_the_tutorial_shows_the_policy_that_new_makes() -> None:
    every = blocks((ROOT / "docs" / "tutorial.md").read_text())
    shown = next(block.text for block in every if block.text.startswith("# gate.py\n"))
    template = ROOT / "runtime" / "cli" / "templates" / "filter.py.template"
    assert shown == f"# gate.py\n{template.read_text()}"


def test_every_name_of_the_language_is_in_its_reference() -> None:
    text = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    loading = {"Diagnostic", "Policy", "PolicyError", "PolicyWarning", "load_policy"}
    names = {name for name in dsl.__all__ if not name.isupper() and not name.startswith(("BPF_", "AF_"))} - loading
    assert sorted(name for name in names if not re.search(rf"\b{name}\b", text)) == []


def test_every_command_is_in_the_table_of_commands() -> None:
    text = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    table = text.partition("| command | does |")[2].partition("\n\n")[0]
    assert [name for name in COMMANDS if not re.search(rf"`{name}[ `]", table)] == []


@pytest.mark.parametrize("name", PAGES)
def test_pages_of_tables_are_up_to_date(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == PAGES[name](), "run python -m docs.tables"


def test_a_listing_has_each_line_with_its_instructions() -> None:
    source = """from skverdict.dsl import SK_DROP, SK_PASS, SkMsg, SkSkb, i32, msg_verdict, stream_parser

@stream_parser
def whole(skb: SkSkb) -> i32:
    return skb.len

@msg_verdict
def short(msg: SkMsg) -> i32:
    if msg.size > 9:
        return SK_DROP
    return SK_PASS
"""
    parser, verdict = listing("two", source).split("\n\n")
    assert parser.splitlines() == [
        "program whole, section sk_skb/stream_parser",
        "def whole(skb: SkSkb) -> i32:",
        "    return skb.len",
        "           0: r0 = *(u32 *)(r1 + 0)",
        "           1: exit",
    ]
    shown = [line.strip() for line in verdict.splitlines() if not re.match(r" +\d+: ", line)]
    assert shown == [
        "program short, section sk_msg",
        "def short(msg: SkMsg) -> i32:",
        "if msg.size > 9:",
        "return SK_DROP",
        "return SK_PASS",
    ]


def test_each_policy_of_the_language_has_its_bpf_beside_it() -> None:
    text = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    policies = [block for block in blocks(text) if block.language == "python"]
    parts = with_bpf(text).split('=== "Policy"\n\n')[1:]
    assert len(parts) == len(policies)
    for policy, part in zip(policies, parts, strict=True):
        shown, compiled = part.split('=== "BPF"\n\n')
        assert dedent(shown).strip() == f"```python\n{policy.text}```"
        for name in re.findall(r"^@\w+_(?:parser|verdict)\ndef (\w+)", policy.text, re.MULTILINE):
            assert f"    program {name}, section " in compiled
        assert re.search(r"^ +\d+: ", compiled, re.MULTILINE)


def test_the_site_builds_without_a_warning_and_has_every_document(tmp_path: Path) -> None:
    if shutil.which("mkdocs", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))) is None:
        if os.environ.get("CI") == "true":
            pytest.fail("mkdocs is not installed")
        pytest.skip("mkdocs is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "index.html").exists()
    language = (tmp_path / "site" / "language" / "index.html").read_text(encoding="utf-8")
    assert ">BPF</label>" in language
    assert "call bpf_sk_redirect_map#52" in language
    pages = {path.parent.name for path in (tmp_path / "site").glob("*/index.html")}
    assert {Path(document).stem for document in DOCUMENTS} - pages == {"README", "index"}
