"""`scopezoo models` and `scopezoo show`: what there is, and what it says of itself."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer


def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the models that come with scopezoo, and those that were pulled."""
    from scopezoo.cli.failures import failure_line, say
    from scopezoo.errors import ScopezooError
    from scopezoo.store import model_ids, pulled_models, resolve

    entries = [
        {**summary(resolve(name).description.rdf, name), "pulled": False} for name in model_ids()
    ]
    for pulled in pulled_models():
        try:
            rdf = resolve(pulled.model).description.rdf
        except ScopezooError as error:
            say(failure_line(error))
        else:
            entries.append({**summary(rdf, pulled.model), "pulled": True})
    if as_json:
        typer.echo(json.dumps(entries, indent=2))
        return
    width = max((len(entry["id"]) for entry in entries), default=0)
    for entry in entries:
        mark = "(pulled) " if entry["pulled"] else ""
        typer.echo(f"{entry['id']:<{width}}  {mark}{entry['description']}")


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


def summary(rdf: Any, model_id: str) -> dict[str, Any]:
    """A model in a line: id, name, description, tags, license."""
    return {
        "id": model_id,
        "name": rdf.get("name"),
        "description": " ".join(str(rdf.get("description", "")).split()),
        "tags": rdf.get("tags", []),
        "license": rdf.get("license"),
    }


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
