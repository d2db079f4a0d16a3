"""`scopezoo pull`: fetch models that are not on this machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scopezoo.cli.failures import failure_line, say
from scopezoo.cli.progress import progress_line
from scopezoo.errors import ScopezooError

if TYPE_CHECKING:
    from scopezoo.store.pulled import Pulled

MB = 1_000_000


def pull_models(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="Ids of bioimage.io (affable-shark, affable-shark/v0), DOIs, URLs.",
        ),
    ],
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Fetch models into the cache, from where every other command takes them by the same name."""
    from scopezoo.store import model_ids

    fetched: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    for model in models:
        if model in model_ids():
            say(f"{model} comes with scopezoo; nothing to fetch")
            continue
        try:
            pulled = _pull(model, quiet)
        except ScopezooError as error:
            say(failure_line(error))
            failures.append({"model": model, "error": str(error)})
            continue
        fetched.append({**asdict(pulled), "location": str(pulled.location)})
        if not as_json:
            typer.echo(f"{pulled.model} {pulled.version}  {pulled.location}")
    if as_json:
        typer.echo(json.dumps({"models": fetched, "failures": failures}, indent=2))
    return 1 if failures else 0


def _pull(model: str, quiet: bool) -> Pulled:
    from scopezoo.store.pull import pull

    with progress_line(f"{model}, MB", quiet) as show:
        pulled = pull(model, progress=lambda done, total: show(done // MB, total // MB))
    if pulled.missing and not quiet:
        say(f"{model}: not there, and left out: {', '.join(pulled.missing)}")
    return pulled
