"""`skverdict completion`: what a shell needs to complete this command line."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Action, ArgumentParser, Namespace
    from collections.abc import Iterable, Mapping

DETAILS = """

The script knows commands, options and their choices; everything else completes to files."""

EXAMPLE = """examples:
  skverdict completion bash > ~/.local/share/bash-completion/completions/skverdict
  skverdict completion zsh > ~/.zfunc/_skverdict
  skverdict completion fish > ~/.config/fish/completions/skverdict.fish"""

SHELLS = ("bash", "zsh", "fish")

# A case for each command: its options; and one for each option that has choices.
_BASH = """\
_skverdict() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} command=${{COMP_WORDS[1]}}
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{commands} --help --version" -- "$word"))
        return
    fi
    case "$command $before" in
{choices}
    esac
    if [[ $word == -* ]]; then
        case "$command" in
{options}
        esac
    elif [ "$command" = completion ]; then
        COMPREPLY=($(compgen -W "{shells}" -- "$word"))
    else
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}}
complete -o filenames -F _skverdict skverdict
"""
_ZSH = "#compdef skverdict\nautoload -U +X bashcompinit && bashcompinit\n"


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")


def run(options: Namespace) -> int:
    """Print the script."""
    from skverdict.runtime.cli.commands import COMMANDS, parser_of

    parsers = {name: parser_of(name) for name in COMMANDS}
    if options.shell == "fish":
        print(_fish(parsers, COMMANDS), end="")
    else:
        print((_ZSH if options.shell == "zsh" else "") + _bash(parsers), end="")
    return 0


def _optional(parser: ArgumentParser) -> Iterable[Action]:
    return (action for action in parser._actions if action.option_strings)


def _bash(parsers: Mapping[str, ArgumentParser]) -> str:
    choices, options = [], []
    for name, parser in parsers.items():
        words = [word for action in _optional(parser) for word in action.option_strings]
        options.append(f"            {name}) COMPREPLY=($(compgen -W \"{' '.join(words)}\" -- \"$word\")) ;;")
        for action in _optional(parser):
            if action.choices:
                places = "|".join(f'"{name} {word}"' for word in action.option_strings)
                values = " ".join(map(str, action.choices))
                choices.append(f'        {places}) COMPREPLY=($(compgen -W "{values}" -- "$word")); return ;;')
    return _BASH.format(
        commands=" ".join(parsers),
        choices="\n".join(choices),
        options="\n".join(options),
        shells=" ".join(SHELLS),
    )


def _fish(parsers: Mapping[str, ArgumentParser], commands: Mapping[str, str]) -> str:
    lines = []
    for name, what in commands.items():
        lines.append(f"complete -c skverdict -n __fish_use_subcommand -f -a {name} -d {_quoted(what)}")
    for name, parser in parsers.items():
        inside = f"complete -c skverdict -n '__fish_seen_subcommand_from {name}'"
        for action in _optional(parser):
            words = " ".join(
                f"-l {word[2:]}" if word.startswith("--") else f"-s {word[1:]}" for word in action.option_strings
            )
            taken = "" if action.nargs == 0 else " -r"
            if action.choices:
                taken = f" -x -a {_quoted(' '.join(map(str, action.choices)))}"
            lines.append(f"{inside} {words}{taken}")
    lines.append(f"complete -c skverdict -n '__fish_seen_subcommand_from completion' -f -a '{' '.join(SHELLS)}'")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
