"""The dataset as the BioImage Model Zoo describes datasets: rdf.yaml, format 0.3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from scopezoo.datasets.paired.card import how_to_cite
from scopezoo.datasets.paired.manifest import Citation, Manifest

RDF = "rdf.yaml"
README = "README.md"
COVER = "cover.png"
FORMAT_VERSION = "0.3.0"


def describe(manifest: Manifest) -> dict[str, Any]:
    """What `rdf.yaml` holds; models link it by `id` as their `training_data`."""
    dimensions = {"3d" if "Z" in pair.source.axes else "2d" for pair in manifest.pairs}
    modalities = {one.modality for one in manifest.instruments if one.modality}
    tags = ["paired-images", "image-restoration", *sorted(dimensions), *sorted(modalities)]
    if any(specimen.simulated for specimen in manifest.specimens):
        tags.append("simulated")
    return {
        "format_version": FORMAT_VERSION,
        "type": "dataset",
        "id": manifest.id,
        "name": manifest.name,
        "description": " ".join(manifest.description.split())[:1024],
        "documentation": README,
        "covers": [COVER],
        "authors": [author.model_dump(exclude_none=True) for author in manifest.authors],
        "cite": [_citation(one) for one in manifest.cite if one.doi or one.url],
        "license": manifest.license,
        "tags": tags,
        "config": {
            "scopezoo": {
                "manifest": "dataset.json",
                "pairs": len(manifest.pairs),
                "specimens": len(manifest.specimens),
                "cite_as": how_to_cite(manifest),
            }
        },
    }


def to_yaml(description: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(description, sort_keys=False, allow_unicode=True)
    return text


def format_problems(path: Path) -> list[str]:
    """What bioimageio.spec says against the `rdf.yaml` at `path`; nothing for a valid one."""
    from bioimageio.spec import InvalidDescr, load_description

    found = load_description(path, perform_io_checks=True)
    summary = found.validation_summary
    if not isinstance(found, InvalidDescr):
        return []
    return [
        f"{'.'.join(str(key) for key in error.loc)}: {error.msg}"
        for detail in summary.details
        for error in detail.errors
    ] or ["is not a dataset of the BioImage Model Zoo"]


def _citation(one: Citation) -> dict[str, str]:
    return {key: value for key, value in one.model_dump().items() if value}
