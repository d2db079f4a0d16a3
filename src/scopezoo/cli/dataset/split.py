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
    test_specimen: Annotated[
        list[str] | None, typer.Option(help="A specimen that is to be in the test; repeatable.")
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
    fixed: dict[str, Part] = dict.fromkeys(test_specimen or [], "test")
    opened = Dataset.open(dataset)
    made = splitting.split_dataset(opened, seed, fractions, fixed=fixed, replace=replace)
    if as_json:
        typer.echo(made.model_dump_json(indent=2))
    if not quiet:
        for part, specimens in made.parts.items():
            pairs = sum(pair.specimen in specimens for pair in opened.pairs)
            say(f"{part}: {pairs} pairs of {', '.join(specimens) or 'no specimen'}")
