"""Scripts that complete the command line in bash, zsh and fish."""

from collections.abc import Sequence

from mvsam_client.completion import NOTHING, Described, Kind, Option, Value

PROGRAM = "mvsam"


def bash(commands: Sequence[Described]) -> str:
    """For bash from 3.2 on."""
    values, options, words = [], [], []
    for command in commands:
        for option in command.options:
            if option.value is not NOTHING:
                patterns = "|".join(f'"{command.name} {name}"' for name in option.names)
                values.append(f"        {patterns}) {_bash_offer(option.value)}; return ;;")
        names = " ".join(name for option in command.options for name in option.names)
        options.append(f'        {command.name}) _mvsam_words "{names}" ;;')
        words.append(f"        {command.name}) {_bash_offer(command.words)} ;;")
    lines = [
        f"# bash completion of {PROGRAM}; `{PROGRAM} completion bash` writes it.",
        "_mvsam_words() {",
        "    local IFS=$' \\t\\n'",
        '    COMPREPLY=($(compgen -W "$1" -- "$_mvsam_word"))',
        "}",
        "_mvsam_files() {",
        "    local IFS=$'\\n'",
        '    COMPREPLY=($(compgen "$1" -- "$_mvsam_word"))',
        "    compopt -o filenames 2>/dev/null",
        "}",
        "_mvsam() {",
        '    local _mvsam_word="${COMP_WORDS[COMP_CWORD]}" command="${COMP_WORDS[1]}"',
        "    COMPREPLY=()",
        '    if [ "$COMP_CWORD" -eq 1 ]; then',
        f'        _mvsam_words "{" ".join(command.name for command in commands)}"',
        "        return",
        "    fi",
        '    case "$command ${COMP_WORDS[COMP_CWORD - 1]}" in',
        *values,
        "    esac",
        '    case "$_mvsam_word" in -*) case "$command" in',
        *options,
        "    esac; return ;; esac",
        '    case "$command" in',
        *words,
        "    esac",
        "}",
        f"complete -F _mvsam {PROGRAM}",
    ]
    return "\n".join(lines) + "\n"


def zsh(commands: Sequence[Described]) -> str:
    """For zsh, to be sourced or put on its `fpath` as _mvsam."""
    listed = "\n".join(f"        {_quoted(f'{command.name}:{command.summary}')}" for command in commands)
    cases = []
    for command in commands:
        specifications = [_zsh_option(option) for option in command.options]
        if command.words is not NOTHING:
            specifications.append(_quoted(f"*:{command.words.kind.value}:{_zsh_offer(command.words)}"))
        arguments = " \\\n                ".join(["_arguments", *specifications])
        cases.append(f"        {command.name})\n            {arguments}\n            ;;")
    lines = [
        f"#compdef {PROGRAM}",
        f"# zsh completion of {PROGRAM}; `{PROGRAM} completion zsh` writes it.",
        "_mvsam() {",
        "    local -a commands",
        "    commands=(",
        listed,
        "    )",
        "    if (( CURRENT == 2 )); then",
        "        _describe command commands",
        "        return",
        "    fi",
        "    local command=$words[2]",
        "    shift words",
        "    (( CURRENT-- ))",
        "    case $command in",
        *cases,
        "    esac",
        "}",
        'if [ "$funcstack[1]" = "_mvsam" ]; then _mvsam "$@"; else compdef _mvsam mvsam; fi',
    ]
    return "\n".join(lines) + "\n"


def fish(commands: Sequence[Described]) -> str:
    """For fish."""
    lines = [
        f"# fish completion of {PROGRAM}; `{PROGRAM} completion fish` writes it.",
        f"complete -c {PROGRAM} -f",
    ]
    for command in commands:
        summary = _quoted(command.summary)
        lines.append(f"complete -c {PROGRAM} -n __fish_use_subcommand -a {command.name} -d {summary}")
    for command in commands:
        begin = f"complete -c {PROGRAM} -n '__fish_seen_subcommand_from {command.name}'"
        for option in command.options:
            names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
            lines.append(f"{begin} {names}{_fish_offer(option.value)} -d {_quoted(option.help)}")
        if command.words is not NOTHING and command.words.kind is not Kind.TEXT:
            lines.append(f"{begin}{_fish_words(command.words)}")
    return "\n".join(lines) + "\n"


SCRIPTS = {"bash": bash, "zsh": zsh, "fish": fish}


def _bash_offer(value: Value) -> str:
    match value.kind:
        case Kind.WORD:
            return f'_mvsam_words "{" ".join(value.words)}"'
        case Kind.FILE:
            return "_mvsam_files -f"
        case Kind.FOLDER:
            return "_mvsam_files -d"
    return ":"


def _zsh_option(option: Option) -> str:
    help_text = option.help.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
    value = "" if option.value is NOTHING else f":{option.value.kind.value}:{_zsh_offer(option.value)}"
    repeat = "*" if option.may_repeat else ""
    if len(option.names) == 1:
        return _quoted(f"{repeat}{option.names[0]}[{help_text}]{value}")
    names = ",".join(option.names)
    return f"{{{names}}}{_quoted(f'[{help_text}]{value}')}"


def _zsh_offer(value: Value) -> str:
    match value.kind:
        case Kind.WORD:
            return f"({' '.join(value.words)})"
        case Kind.FILE:
            return "_files"
        case Kind.FOLDER:
            return "_files -/"
    return ""


def _fish_offer(value: Value) -> str:
    match value.kind:
        case Kind.NOTHING:
            return ""
        case Kind.FILE:
            return " -r -F"
        case Kind.FOLDER:
            return " -x -a '(__fish_complete_directories)'"
        case Kind.WORD:
            return f" -x -a {_quoted(' '.join(value.words))}"
    return " -x"


def _fish_words(value: Value) -> str:
    return f" -a {_quoted(' '.join(value.words))}" if value.kind is Kind.WORD else " -F"


def _quoted(text: str) -> str:
    """In single quotes, as all three shells read them; an apostrophe becomes a typographic one."""
    return "'" + text.replace("'", "’") + "'"
