"""`scopezoo models` and `scopezoo show`: what there is, and what it says of itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from scopezoo.store import Package
    from scopezoo.store.pulled import Pulled

HEADER = ("MODEL", "TASK", "QUALITY", "SPEED", "SIZE", "LICENCE", "TRAINED ON")


def list_models(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON in the form of bioimage.io's index.")
    ] = False,
) -> None:
    """List the models that come with scopezoo, and those that were pulled."""
    from scopezoo.cli.failures import failure_line, say
    from scopezoo.errors import ScopezooError
    from scopezoo.store import model_ids, pulled_models, resolve

    listed: list[tuple[Package, str, Pulled | None]] = [
        (resolve(name), name, None) for name in model_ids()
    ]
    for pulled in pulled_models():
        try:
            listed.append((resolve(pulled.model), pulled.model, pulled))
        except ScopezooError as error:
            say(failure_line(error))
    if as_json:
        items = [index_item(*one) for one in listed]
        typer.echo(json.dumps({"items": items, "total": len(items)}, indent=2, default=str))
        return
    rows = [(name, *_facts(package)) for package, name, _ in listed]
    widths = [max(map(len, column)) for column in zip(HEADER, *rows, strict=True)]
    typer.echo(_line(HEADER, widths))
    for (package, _, pulled_as), row in zip(listed, rows, strict=True):
        mark = "(pulled) " if pulled_as else ""
        typer.echo(f"{_line(row, widths)}\n  {mark}{_description(package)}")


def show_model(
    model: Annotated[str, typer.Argument(help="An id, a folder, a zip, or what was pulled.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what a model is: its tensors, weights, and its card."""
    from scopezoo.store import resolve

    package = resolve(model)
    rdf = dict(package.description.rdf)
    if as_json:
        typer.echo(json.dumps(rdf, indent=2, default=str))
        return
    typer.echo(f"{package.description.name} ({package.id})")
    for tensor in (*package.description.inputs, *package.description.outputs):
        role = "input" if tensor in package.description.inputs else "output"
        typer.echo(f"{role:>8}: {tensor.id} ({', '.join(tensor.axis_ids)})")
    typer.echo(f" weights: {', '.join(package.description.weights)}")
    typer.echo(f" license: {rdf.get('license', 'not stated')}")
    typer.echo(f"  folder: {package.location}\n")
    typer.echo(_card(package))


def index_item(package: Package, model: str, pulled: Pulled | None = None) -> dict[str, Any]:
    """A model as an item of bioimage.io's index, with what one chooses by.

    `source` is relative to the collection's models, so that the index can be served from there; of
    what was pulled it is where that is from.
    """
    from scopezoo.store.glance import glance

    rdf, seen = package.description.rdf, glance(package)
    return {
        "id": model,
        "type": "model",
        "name": package.description.name,
        "description": _description(package),
        "tags": rdf.get("tags", []),
        "covers": rdf.get("covers", []),
        "license": seen.license,
        "task": seen.task,
        "modality": seen.modality,
        "quality": None if seen.quality is None else asdict(seen.quality),
        "speed": None if seen.speed is None else asdict(seen.speed),
        "weights_bytes": seen.weights_bytes,
        "dataset": seen.dataset,
        "pulled": pulled is not None,
        "versions": [
            {
                "version": pulled.version if pulled else _version(package),
                "comment": None,
                "created_at": pulled.released if pulled else rdf.get("timestamp"),
                "source": pulled.source if pulled else f"{model}/{package.rdf_name}",
                "sha256": pulled.sha256 if pulled else package.rdf_sha256,
            }
        ],
    }


def _facts(package: Package) -> tuple[str, ...]:
    """What stands in a line, in the order of HEADER after the id."""
    from scopezoo.store.glance import glance

    seen = glance(package)
    texts = (seen.task, seen.quality, seen.speed, seen.size, seen.license, seen.dataset)
    return tuple("-" if text is None else " ".join(str(text).split())[:40] for text in texts)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{c:<{width}}" for c, width in zip(cells, widths, strict=True)).rstrip()


def _version(package: Package) -> str:
    return package.description.version or package.rdf_sha256[:12]


def _description(package: Package) -> str:
    return " ".join(str(package.description.rdf.get("description", "")).split())


def _card(package: Any) -> str:
    from scopezoo.errors import PackageError
    from scopezoo.store.fields import file_reference

    reference = file_reference(package.description.rdf.get("documentation"))
    if reference is None:
        return "This package has no card."
    try:
        return str(package.read(reference).decode("utf-8", "replace"))
    except PackageError as error:
        return f"The card cannot be shown: {error}"
