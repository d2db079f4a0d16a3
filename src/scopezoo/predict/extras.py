"""What is written beside a result: a picture, a table of objects, ImageJ ROIs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from scopezoo.errors import UsageError
from scopezoo.image import Image
from scopezoo.predict.destination import Kind
from scopezoo.predict.instances import instance_settings
from scopezoo.predict.stages import output_kind
from scopezoo.result import Extras, Names
from scopezoo.store.description import Description


def check_extras(description: Description, extras: Extras) -> None:
    """Raise UsageError where a table or ROIs are asked of a model that gives no labels."""
    gives_labels = any(output_kind(tensor) == "labels" for tensor in description.outputs)
    if (extras.table or extras.rois) and not gives_labels:
        advice = "say --instances" if instance_settings(description) else "this one gives none"
        raise UsageError(f"--table and --rois need a model that gives labels; {advice}")


def write_extras(
    folder: Path,
    names: Names,
    image: Image,
    results: Mapping[str, tuple[Image, Kind]],
    ndim: Literal[2, 3],
) -> None:
    """Write what `names.extras` asks for into `folder`; results are (image, kind) by output id.

    All are of the first output with labels; without labels the picture is of the first.
    """
    extras = names.extras
    labels = next((found for found, kind in results.values() if kind == "labels"), None)
    if extras.preview:
        from scopezoo.predict.preview import write_preview

        first = next(iter(results.values()))
        found, kind = first if labels is None else (labels, "labels")
        write_preview(image, found, kind, folder / names.beside(".preview.png").name)
    if labels is not None and extras.table:
        from scopezoo.predict.table import write_table

        write_table(labels, image, folder / names.beside(".csv").name, ndim=ndim)
    if labels is not None and extras.rois:
        from scopezoo.predict.rois import write_rois

        write_rois(labels, folder / names.beside(".rois.zip").name, ndim=ndim)
