"""`scopezoo dataset split`: training, validation and test, whole specimens at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scopezoo.cli.failures import say


def split_dataset(
    dataset: Annotated[Path, typer.Argument(help="Folder of a dataset.")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same split.")] = 0,
    validation: Annotated[float, typer.Option(min=0, max=1, help="Fraction of the pairs.")] = 0.1,
    test: Annotated[float, typer.Option(min=0, max=1, help="Fraction of the pairs.")] = 0.15,
    fix: Annotated[
        list[str] | None,
        typer.Option(metavar="PART=SPECIMEN", help="E.g. 'test=unlike-*'; repeatable."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Make another split than the one there is.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the split as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Split by specimen. Specimens that have a part keep it when new ones are imported."""
    from scopezoo.datasets.paired import Dataset, splitting
    from scopezoo.datasets.split import Part

    fractions: dict[Part, float] = {
        "training": 1 - validation - test,
        "validation": validation,
        "test": test,
    }
    opened = Dataset.open(dataset)
    fixed = splitting.fixed_parts([pair.specimen for pair in opened.pairs], fix or [])
    made = splitting.split_dataset(opened, seed, fractions, fixed=fixed, replace=replace)
    if as_json:
        typer.echo(made.model_dump_json(indent=2))
    if not quiet:
        usable = splitting.usable_pairs(opened.manifest)
        for part, specimens in made.parts.items():
            pairs = sum(usable[name] for name in specimens)
            say(f"{part}: {pairs} pairs of {', '.join(specimens) or 'no specimen'}")
        if usable.total() < len(opened.pairs):
            say(f"{len(opened.pairs) - usable.total()} pairs do not count: registering them failed")
