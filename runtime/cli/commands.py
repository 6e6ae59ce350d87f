"""The commands, and the way from a command line to one of them."""

from __future__ import annotations

from argparse import Action, ArgumentParser, HelpFormatter
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

COMMANDS = {
    "new": "make a folder with a policy, its test and a workflow for them",
    "build": "compile a policy to a BPF object file",
    "check": "tell whether a policy compiles, and what it holds",
    "run": "send the TCP payloads of a capture through a policy",
    "test": "run a policy's tests, once or at each change",
    "attach": "attach a policy to this machine's kernel, and show what it does",
    "status": "show what is attached",
    "detach": "take what is attached out of the kernel",
    "doctor": "tell what this machine has for policies, and what it lacks",
    "disasm": "print the instructions of a BPF object with their source lines",
    "asm": "make a BPF object of what disasm prints",
    "ir": "print a policy's intermediate representation",
    "graph": "show the control flow of programs with their source lines",
    "inspect": "tell what an object file holds and needs",
    "diff": "tell what differs between two object files",
    "completion": "print what a shell needs to complete this command line",
    "conformance": "run a public test suite of the BPF instruction set",
}
"""Each command with what it does; it is the module of that name beside this one.

A command module has `DETAILS` and `EXAMPLE` for its help, `configure(parser)`, and `run(options)`, which
gives the exit code. With `PASSES_ON` what stands behind `--` is for another program, in `options.passed_on`.
"""


def dispatch(arguments: Sequence[str]) -> int:
    """Run the command that `arguments` begin with; SystemExit where there is none to run."""
    name = arguments[0] if arguments else "--help"
    if name not in COMMANDS:
        parser = _general_parser()
        if not name.startswith("-"):
            parser.error(_unknown(name))
        parser.parse_args([name, *arguments[1:]])
    own, passed_on = list(arguments[1:]), []
    module = _module(name)
    if getattr(module, "PASSES_ON", False) and "--" in own:
        at = own.index("--")
        own, passed_on = own[:at], own[at + 1 :]
    options = parser_of(name).parse_args(own)
    options.passed_on = passed_on
    code: int = module.run(options)
    return code


def parser_of(name: str) -> ArgumentParser:
    """The parser of a command's arguments."""
    module = _module(name)
    parser = _parser(f"skverdict {name}", _sentence(COMMANDS[name]) + module.DETAILS, module.EXAMPLE)
    module.configure(parser)
    return parser


def _module(name: str) -> Any:
    return import_module(f"skverdict.runtime.cli.{name}")


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _parser(program: str, description: str, epilog: str) -> ArgumentParser:
    return _Parser(
        prog=program,
        description=description,
        epilog=epilog,
        formatter_class=_Help,
        allow_abbrev=False,
    )


class _Parser(ArgumentParser):
    """Names the option that was meant before it asks for what is missing."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        for argument in args:
            if argument == "--":
                break
            option = argument.split("=", 1)[0]
            if option.startswith("--") and option not in self._option_string_actions:
                self.error(f"there is no option {option!r}{_meant(option, self._option_string_actions, '; ')}")
        return super().parse_known_args(args, namespace)


class _Help(HelpFormatter):
    """Fills each paragraph to the width of the terminal, and leaves lines that are indented as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        from itertools import groupby
        from textwrap import fill

        filled = []
        for kept, group in groupby(text.split("\n"), lambda line: not line or line.startswith(" ")):
            lines = list(group)
            filled += lines if kept else [fill(" ".join(lines), width, break_on_hyphens=False)]
        return "\n".join(indent + line for line in filled)


def _unknown(name: str) -> str:
    return f"there is no command {name!r}; " + (_meant(name, COMMANDS) or "see skverdict --help")


def _meant(name: str, known: Iterable[str], before: str = "") -> str:
    """A question for the known name that is closest, behind `before`; empty where none is close."""
    from difflib import get_close_matches

    close = get_close_matches(name, known, 1)
    return f"{before}did you mean {close[0]!r}?" if close else ""


def _general_parser() -> ArgumentParser:
    """The parser of what does not begin with a command: help, the version, or an error."""
    commands = "\n".join(f"  {name:12}{what}" for name, what in COMMANDS.items())
    parser = _parser(
        "skverdict",
        f"Linux socket policy in Python: compiled to BPF, run in a simulator.\n\ncommands:\n{commands}",
        "'skverdict COMMAND --help' tells more and gives an example.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of the commands above")
    return parser


class _Version(Action):
    """Prints the version, which is looked up only then."""

    def __call__(self, parser: ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(f"skverdict {version('skverdict')}")
        parser.exit()


