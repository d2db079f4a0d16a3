"""The command line. Each command imports what it needs when it runs, so that it starts fast."""

from __future__ import annotations

import sys

import typer

from scopezoo.cli import dataset, models, package, predict, pull, serve, train, validate
from scopezoo.cli.failures import run_guarded

app = typer.Typer(
    name="scopezoo",
    help="Deep-learning models of microscopy: find, run, train, package, validate and serve them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("models")(models.list_models)
app.command("show")(models.show_model)
app.command("pull")(pull.pull_models)
app.command("predict")(predict.predict_files)
app.command("train")(train.train_model)
app.command("package")(package.package_model)
app.command("validate")(validate.validate_packages)
app.command("serve")(serve.serve_models)
app.add_typer(dataset.app)


@app.callback(invoke_without_command=True)
def _version(
    version: bool = typer.Option(False, "--version", help="Print the version and leave."),
) -> None:
    if version:
        import scopezoo

        typer.echo(scopezoo.__version__)
        raise typer.Exit


def main() -> None:
    """Entry point: errors become one line on stderr and an exit status."""
    sys.exit(run_guarded(lambda: app(standalone_mode=False)))
