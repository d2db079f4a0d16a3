"""Models in the form that the server tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from scopezoo.predict.scale import model_pixel_size_um
from scopezoo.predict.stages import output_kind
from scopezoo.serving.cards import cover
from scopezoo.serving.pool import EnginePool
from scopezoo.serving.samples import sample_reference
from scopezoo.store.glance import bioimageio_config, glance, mappings
from scopezoo.store.package import Package
from scopezoo.store.tensors import Tensor


def model_entry(pool: EnginePool, model: str) -> dict[str, Any]:
    """A model in short."""
    package = pool.package(model)
    description, rdf = package.description, package.description.rdf
    facts = glance(package)
    base = f"/api/v1/models/{model}"
    has_sample = sample_reference(package) is not None
    return {
        "id": model,
        "name": description.name,
        "description": " ".join(str(rdf.get("description", "")).split()),
        "version": description.version,
        "license": facts.license,
        "tags": [str(tag) for tag in rdf.get("tags") or []],
        "task": facts.task,
        "modality": facts.modality,
        "dataset": facts.dataset,
        "quality": None if facts.quality is None else asdict(facts.quality),
        "speed": None if facts.speed is None else asdict(facts.speed),
        "weights_bytes": facts.weights_bytes,
        "axes": "".join(axis.id for axis in description.inputs[0].space).upper(),
        "inputs": [_input(tensor) for tensor in description.inputs],
        "outputs": [{"id": t.id, "kind": output_kind(t)} for t in description.outputs],
        "pixel_size_um": {
            axis.lower(): size for axis, size in model_pixel_size_um(description.inputs[0]).items()
        },
        "state": pool.state(model),
        "has_sample": has_sample,
        "links": {
            "self": base,
            "card": f"{base}/card",
            "cover": f"{base}/cover" if cover(package) else None,
            "description": f"{base}/description",
            "package": f"{base}/package",
            "sample": f"{base}/sample" if has_sample else None,
            "predict": f"{base}/predict",
        },
    }


def full_entry(pool: EnginePool, model: str) -> dict[str, Any]:
    """A model with what its page shows besides."""
    package = pool.package(model)
    rdf = package.description.rdf
    return {
        **model_entry(pool, model),
        "citations": [
            {"text": _text(entry.get("text")), "doi": _text(entry.get("doi"))}
            for entry in mappings(rdf.get("cite"))
        ],
        "authors": [str(entry.get("name", "")) for entry in mappings(rdf.get("authors"))],
        "evaluations": list(mappings(bioimageio_config(package).get("evaluations"))),
        "limitations": _limitations(package),
        "sha256": package.rdf_sha256,
    }


def fits(
    entry: Mapping[str, Any],
    q: str | None,
    task: str | None,
    modality: str | None,
    axes: str | None,
    dataset: str | None,
) -> bool:
    """Whether a model is what is searched for; all words of `q` must occur."""
    text = " ".join(
        [entry["id"], entry["name"], entry["description"], *entry["tags"]]
        + [str(entry[key] or "") for key in ("task", "modality", "dataset")]
    ).lower()
    return (
        all(word in text for word in (q or "").lower().split())
        and (not task or task.lower() in str(entry["task"] or "").lower())
        and (not modality or modality.lower() in str(entry["modality"] or "").lower())
        and (not axes or axes.upper() == entry["axes"])
        and (not dataset or dataset == entry["dataset"])
    )


def _input(tensor: Tensor) -> dict[str, Any]:
    channels = next((axis.channel_names for axis in tensor.axes if axis.type == "channel"), ())
    return {
        "id": tensor.id,
        "axes": list(tensor.axis_ids),
        "channels": list(channels),
        "optional": tensor.optional,
    }


def _limitations(package: Package) -> str | None:
    risks = bioimageio_config(package).get("bias_risks_limitations")
    return _text(risks.get("limitations")) if isinstance(risks, dict) else None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
