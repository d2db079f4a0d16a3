"""`scopezoo dataset pull`: a dataset, or the fields of it that are wanted, onto this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from scopezoo.cli.failures import say
from scopezoo.cli.progress import progress_line

MB = 1_000_000


def pull_dataset(
    source: Annotated[
        str,
        typer.Argument(
            help="URL of a server's dataset (http://HOST/api/v1/datasets/ID) or of a zip, a DOI "
            "of Zenodo, a folder or a zip."
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The folder to pull into; more may be added.")
    ],
    pairs: Annotated[
        str | None, typer.Option(help="These pairs alone, with commas; * stands for any text.")
    ] = None,
    specimen: Annotated[
        list[str] | None,
        typer.Option(help="Pairs of this specimen alone. Repeat for several; * as above."),
    ] = None,
    split: Annotated[
        Literal["training", "validation", "test"] | None,
        typer.Option(help="Pairs of this part alone: training, validation or test."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="SCOPEZOO_TOKEN", help="What the server's operator gave you."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fetch pairs and verify them; the same command goes on where another was stopped."""
    from scopezoo.datasets.paired.pulling import pull_dataset
    from scopezoo.datasets.paired.pulling_choice import Choice

    if (output / "dataset.json").exists() and not quiet:
        say(f"{output}: what is there already is verified")
    choice = Choice(_words(pairs), tuple(specimen or ()), split)
    with progress_line(f"{output.name}, MB", quiet) as show:
        found = pull_dataset(
            source,
            output,
            choice,
            token=token,
            progress=lambda done, total: show(done // MB, max(1, total // MB)),
        )
    if as_json:
        told = {"folder": str(output), "came": found.came, "fetched_bytes": found.fetched_bytes}
        ids = [pair.id for pair in found.dataset.pairs]
        typer.echo(json.dumps({**told, "pairs": ids, "all_pairs": found.all_pairs}, indent=2))
    elif not quiet:
        say(
            f"{output}: {found.pairs} of {found.all_pairs} pairs are here and verified; "
            f"{found.came} came now, {found.fetched_bytes / MB:.1f} MB"
        )


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())
