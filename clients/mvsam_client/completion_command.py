"""`mvsam completion`: a script that completes the command line."""

from collections.abc import Iterator, Sequence

from mvsam_client import cli, doctor_command
from mvsam_client.command_line import EXIT_CODES, CommandError, Exit, Parser, say
from mvsam_client.completion import Described, described, with_words
from mvsam_client.completion_scripts import SCRIPTS

WHERE = """Put the script where your shell looks for it, and open a new shell:
  bash  mvsam completion bash > ~/.local/share/bash-completion/completions/mvsam
  zsh   mvsam completion zsh > ~/.zfunc/_mvsam      (and fpath+=~/.zfunc before compinit in ~/.zshrc)
  fish  mvsam completion fish > ~/.config/fish/completions/mvsam.fish
Or for this shell alone: source <(mvsam completion bash)
"""


def main(arguments: Sequence[str]) -> int:
    """Prints the script."""
    options = parser().parse_args(arguments)
    say(SCRIPTS[options.shell](list(commands())).rstrip("\n"))
    return Exit.DONE


def parser() -> Parser:
    """Of the subcommand's arguments."""
    made = Parser("mvsam completion", "Prints a script that completes the command line.", f"{WHERE}\n{EXIT_CODES}")
    made.add_argument("shell", choices=list(SCRIPTS), help="that is to complete")
    return made


def commands() -> Iterator[Described]:
    """Every subcommand. Of those that other distributions bring the names alone: to load them takes too long."""
    for name, own in cli.OWN.items():
        try:
            command = described(name, own.summary, cli.own_module(name).parser())
        except CommandError:  # it needs a package that is not here
            command = Described(name, own.summary)
        if name == "doctor":
            command = with_words(command, [check.name for check in doctor_command.all_checks()])
        yield command
    for name, brought in cli.BROUGHT.items():
        yield Described(name, brought.summary)
