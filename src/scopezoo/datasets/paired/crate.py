"""The dataset as a Research Object Crate 1.1 (https://www.researchobject.org/ro-crate/1.1/)."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from scopezoo.datasets.paired.card import how_to_cite
from scopezoo.datasets.paired.manifest import SIDES, Author, Instrument, Manifest, Pair, Specimen

CRATE = "ro-crate-metadata.json"
CONTEXT = "https://w3id.org/ro/crate/1.1/context"
PROFILE = "https://w3id.org/ro/crate/1.1"
SPDX = "https://spdx.org/licenses/"
FILES = {
    "README.md": ("text/markdown", "What the dataset is, for people"),
    "dataset.json": ("application/json", "Pairs, transforms, quality, split, checksums"),
    "dataset.schema.json": ("application/schema+json", "JSON Schema of dataset.json"),
    "rdf.yaml": ("application/yaml", "Description for the BioImage Model Zoo"),
    "cover.png": ("image/png", "A pair"),
}
Entity = dict[str, Any]


def crate(manifest: Manifest, published: date) -> str:
    """JSON-LD; images are data entities, microscopes and specimens contextual ones."""
    images = [_image(pair, side) for pair in manifest.pairs for side in SIDES]
    files = [
        {"@id": name, "@type": "File", "encodingFormat": kind, "name": text}
        for name, (kind, text) in FILES.items()
    ]
    authors = [_author(one) for one in manifest.authors]
    instruments = [_instrument(one) for one in manifest.instruments]
    specimens = [_specimen(one) for one in manifest.specimens]
    works = [
        {"@id": f"https://doi.org/{one.doi}" if one.doi else one.url, "@type": "CreativeWork"}
        | {"name": one.text}
        for one in manifest.cite
        if one.doi or one.url
    ]
    licence = f"{SPDX}{manifest.license}"
    root: Entity = {
        "@id": "./",
        "@type": "Dataset",
        "identifier": manifest.id,
        "name": manifest.name,
        "description": manifest.description or manifest.name,
        "datePublished": published.isoformat(),
        "license": {"@id": licence},
        "author": _references(authors),
        "creditText": how_to_cite(manifest),
        "citation": _references(works),
        "about": _references(specimens),
        "hasPart": _references([*files, *images]),
    }
    descriptor: Entity = {
        "@id": CRATE,
        "@type": "CreativeWork",
        "conformsTo": {"@id": PROFILE},
        "about": {"@id": "./"},
    }
    spdx: Entity = {"@id": licence, "@type": "CreativeWork", "name": manifest.license}
    graph = [descriptor, root, *files, *images, *authors, *instruments, *specimens, *works, spdx]
    return json.dumps({"@context": CONTEXT, "@graph": graph}, indent=1, ensure_ascii=False) + "\n"


def _references(entities: list[Entity]) -> list[Entity]:
    return [{"@id": one["@id"]} for one in entities]


def _image(pair: Pair, side: str) -> Entity:
    entry = pair.source if side == "source" else pair.target
    return {
        "@id": f"{entry.path}/",
        "@type": "Dataset",
        "name": f"{pair.id}, {side}",
        "encodingFormat": "application/vnd+zarr",
        "instrument": {"@id": f"#instrument-{entry.instrument}"},
        "about": {"@id": f"#specimen-{pair.specimen}"},
        "identifier": f"sha256:{entry.sha256}",
    }


def _author(one: Author) -> Entity:
    address = f"https://orcid.org/{one.orcid}" if one.orcid else f"#author-{one.name}"
    entity: Entity = {"@id": address.replace(" ", "-"), "@type": "Person", "name": one.name}
    return entity | ({"affiliation": one.affiliation} if one.affiliation else {})


def _instrument(one: Instrument) -> Entity:
    facts = one.model_dump(exclude_none=True, exclude={"id", "microscope", "voxel_um"})
    described = ", ".join(f"{key} {value}" for key, value in facts.items())
    return {
        "@id": f"#instrument-{one.id}",
        "@type": "IndividualProduct",
        "name": one.microscope or one.id,
        "description": described,
    }


def _specimen(one: Specimen) -> Entity:
    facts = [one.description, one.organism, one.stain and f"stained: {one.stain}"]
    return {
        "@id": f"#specimen-{one.id}",
        "@type": "BioChemEntity",
        "name": one.id,
        "description": "; ".join(fact for fact in facts if fact),
    }
