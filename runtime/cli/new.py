"""`skverdict new`: a folder with a policy, its test, and what continuous integration needs."""

from __future__ import annotations

from skverdict.runtime.cli.failure import CommandError, UsageError
from skverdict.runtime.cli.files import STANDARD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

DETAILS = """

The folder DIR is made (NAME, if it is not given) with NAME.py, test_NAME.py, pyproject.toml, README.md,
.gitignore and a GitHub workflow. What is there already is never touched."""

EXAMPLE = """examples:
  skverdict new gatekeeper
  skverdict new sidecar --template redirect && cd sidecar && skverdict test"""

TEMPLATES = ("filter", "redirect", "message")

_PLACEHOLDER = "NAME"
_WORKFLOW = ".github/workflows/test.yml"


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", metavar="NAME", help="name of the policy: a Python module's")
    parser.add_argument("folder", metavar="DIR", nargs="?", help="folder to make (default: NAME)")
    parser.add_argument(
        "--template",
        choices=TEMPLATES,
        default=TEMPLATES[0],
        help="what the policy does: filter what is received, redirect it, or limit messages that are sent "
        "(default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print folder and files as JSON")


def run(options: Namespace) -> int:
    """Make the folder, all of it or nothing."""
    name = options.name
    if not _is_module_name(name):
        close = name.replace("-", "_")
        advice = f"; {close!r} is" if _is_module_name(close) else ""
        raise UsageError(f"{name!r} is no name for a Python module that tests are written for{advice}")
    folder = options.folder or name
    if folder == STANDARD:
        raise UsageError("a folder cannot go to standard output")
    written = _write(folder, _files(name, options.template))
    if options.json:
        import json

        print(json.dumps({"folder": folder, "files": written}, indent=2))
    else:
        for path in written:
            print(f"{folder}/{path}")
    return 0


def _is_module_name(name: str) -> bool:
    """Whether a policy and its test can be modules of this name."""
    from keyword import iskeyword

    return name.isidentifier() and name.isascii() and not iskeyword(name) and not name.startswith("test_")


def _files(name: str, template: str) -> dict[str, str]:
    """The contents by path."""
    sources = {
        f"{name}.py": f"{template}.py",
        f"test_{name}.py": f"test_{template}.py",
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        ".gitignore": "gitignore",
        _WORKFLOW: "ci.yml",
    }
    return {path: _template(source).replace(_PLACEHOLDER, name) for path, source in sources.items()}


def _template(name: str) -> str:
    from importlib.resources import files

    path = files("skverdict.runtime.cli") / "templates" / f"{name}.template"
    return path.read_text(encoding="utf-8")


def _write(folder: str, contents: dict[str, str]) -> list[str]:
    """Write the files into a new folder, which gets its name when all are there."""
    import os
    import shutil
    from pathlib import Path

    if os.path.lexists(folder):
        raise CommandError(f"{folder}: is there already")
    beside = Path(f"{folder.rstrip(os.sep)}.skverdict-{os.getpid()}")
    try:
        for path, content in contents.items():
            target = beside / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
        beside.rename(folder)
    except OSError as error:
        error.filename, error.filename2 = folder, None
        raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return list(contents)
