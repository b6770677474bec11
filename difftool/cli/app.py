"""`difftool`: the root of the command line, and the one place where an error becomes lines and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer

from difftool import __version__
from difftool.cli import bench, data, doctor, plugins, recipes, resume, runs, sample, train, tui
from difftool.cli import eval as evaluation
from difftool.errors import DifftoolError, out_of_memory, safe_text

app = typer.Typer(
    name="difftool",
    help="Train, watch, sample and extend diffusion models from the terminal.",
    epilog="Begin with: difftool train quickstart",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich's help alone costs 0.2 s
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("train")(train.train)
app.command("resume")(resume.resume)
app.command("sample")(sample.sample)
app.command("eval")(evaluation.evaluate)
app.add_typer(bench.app, name="bench")
app.command("tui")(tui.tui)
app.add_typer(runs.app, name="runs")
app.add_typer(data.app, name="data")
app.add_typer(recipes.app, name="recipes")
app.add_typer(plugins.app, name="plugins")
app.command("doctor")(doctor.doctor)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"difftool {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show Python's traceback with an error.")] = False,
) -> None:
    """Options that every command has."""
    if debug:
        os.environ["DIFFTOOL_DEBUG"] = "1"


def main() -> None:
    """Runs the command line and leaves with its exit code."""
    try:
        app(prog_name="difftool")
    except DifftoolError as error:
        _leave(error.render(), error.exit_code)
    except OSError as error:
        _leave(safe_text(f"difftool: error: {error.strerror or error} ({error.filename or 'standard output'})"), 74)
    except Exception as error:
        if out_of_memory(error):
            _leave("difftool: error: out of memory\ndo: a smaller train.batch, or a larger train.accumulate", 5)
        text = safe_text(f"difftool: error: {type(error).__name__}: {error}".split("\n")[0])
        again = f"difftool --debug {' '.join(sys.argv[1:])}"
        _leave(f"{text}\nwhy: this is a bug in difftool\ndo: report what this prints: {safe_text(again)}", 1)


def _leave(text: str, code: int) -> None:
    if os.environ.get("DIFFTOOL_DEBUG"):
        traceback.print_exc()
    sys.stderr.write(text + "\n")
    sys.exit(code)
