"""`scopezoo package`: from weights to a complete BioImage Model Zoo package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scopezoo.cli.failures import say


def package_model(
    source: Annotated[
        Path, typer.Argument(help="A recipe.yaml, a package.yaml, or the folder of one.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The package: a .zip, or a folder.")
    ],
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Make a package from a recipe with its weights, or from an ONNX file and a few facts."""
    from scopezoo.packaging import package

    package(source, output)
    if not quiet:
        say(f"{output}")
