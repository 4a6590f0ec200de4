"""How a click command runs, its own errors told like all others by `entry`; and the options that commands share."""

import sys
from importlib.util import find_spec

import click
from click.shell_completion import CompletionItem

from mnistsum_runtime.commands.entry import exit_code, leave_quickly, start_quickly
from mnistsum_runtime.errors import CallError
from mnistsum_runtime.operations import OPERATIONS
from mnistsum_runtime.threads import MOST_THREADS


def complete_model(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What a shell offers behind `--model`: shipped models, and files."""
    from mnistsum_runtime.shipped import shipped_models

    names = [CompletionItem(name) for name in shipped_models("sum") if name.startswith(incomplete)]
    return names or [CompletionItem(incomplete, type="file")]


model_option = click.option(
    "--model",
    metavar="FILE",
    shell_complete=complete_model,
    help="A model made by mnistsum-export, or the name of one in the package: sum, product, sum-int8, product-int8, or "
    "int8, that of --operation.  [default: the one of --operation]",
)
"""`--model`, of every command that answers."""
operation_option = click.option(
    "--operation",
    type=click.Choice(list(OPERATIONS)),
    help="Which of the models in the package.  [default: sum]",
)
"""`--operation`, of every command that answers."""
threads_option = click.option(
    "--threads",
    type=click.IntRange(1, MOST_THREADS),
    default=1,
    show_default=True,
    metavar="N",
    help="How many threads one inference may use.",
)
"""`--threads`, where there is one number of them."""
min_confidence_option = click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    metavar="P",
    help="Call an answer reliable from this confidence on, 0 to 1.  [default: the limit in the model]",
)
"""`--min-confidence`, of every command that says what is reliable. NaN passes click's range: `Predictor` refuses it."""


def run_command(command: click.Command) -> None:
    """Run a click command and leave the process with the documented exit code."""
    sys.exit(exit_code_of(command))


def run_and_exit(command: click.Command) -> None:
    """Run a click command and leave the process at once, for the commands whose start a user feels."""
    start_quickly()
    leave_quickly(exit_code_of(command))


def exit_code_of(command: click.Command) -> int:
    """Run a click command as `entry.exit_code` runs any job; its exit code."""

    def job() -> int:
        try:
            code = command.main(prog_name=command.name, standalone_mode=False)
        except click.ClickException as error:
            raise CallError(error.format_message()) from error
        except click.Abort as error:
            raise KeyboardInterrupt from error
        return code if isinstance(code, int) else 0

    return exit_code(str(command.name), job)


def require_extra(extra: str, *modules: str) -> None:
    """Raise `CallError` naming the extra to install if one of `modules` is not there."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise CallError(f"{', '.join(missing)} not installed: pip install 'mnistsum[{extra}]'")
