"""The help of `mnistsum`, and its completion; neither imports what a command needs to work."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import click
from click.shell_completion import CompletionItem

from mnistsum_runtime import __version__
from mnistsum_runtime.commands.listed import COMMANDS


class _Umbrella(click.Group):
    """Lists the commands from `COMMANDS`, and imports one only to complete its options."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (as of click)
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  (as of click)
        listed = COMMANDS.get(cmd_name)
        if listed is None:
            return None
        command: click.Command = import_module(listed.parsed_in).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            raise click.UsageError(f"no command {args[0]!r}: expected one of {', '.join(COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary(name)) for name in COMMANDS])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(name, help=summary(name)) for name in COMMANDS if name.startswith(incomplete)]


def summary(name: str) -> str:
    """What a command does; of one whose extra is not installed, how to install it."""
    listed = COMMANDS[name]
    if listed.needs is None or find_spec(listed.needs) is not None:
        return listed.summary
    return f"{listed.summary} (Not installed: pip install 'mnistsum[{name}]')"


@click.command("mnistsum", cls=_Umbrella, invoke_without_command=True, subcommand_metavar="COMMAND [ARGUMENTS]...")
@click.version_option(__version__)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Read a handwritten digit from a picture, and add a number to it.

    Each command is also one of its own: `mnistsum run seven.png 4` is `mnistsum-run seven.png 4`. `mnistsum run --help`
    tells what run takes.

    A line in its start file lets a shell complete commands, options, names of models and files:

    \b
      bash  eval "$(_MNISTSUM_COMPLETE=bash_source mnistsum)"
      zsh   eval "$(_MNISTSUM_COMPLETE=zsh_source mnistsum)"
      fish  _MNISTSUM_COMPLETE=fish_source mnistsum | source

    Each command's own name has such a line too, mnistsum-run with _MNISTSUM_RUN_COMPLETE=bash_source mnistsum-run.

    Exit code: that of the command, 2 if there is no such command.
    """  # noqa: D301  (click needs the backspace itself)
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
