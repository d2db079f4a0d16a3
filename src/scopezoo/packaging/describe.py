"""The description, `rdf.yaml`, in the form that bioimageio.core and deepImageJ both load.

deepImageJ (JDLL) wants format 0.5.9 or earlier with `documentation` and `covers` as plain strings;
bioimageio.core 0.11 refuses that form from 0.5.11 on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from scopezoo.errors import PackageError
from scopezoo.packaging.figures import Figures
from scopezoo.packaging.metadata import Metadata
from scopezoo.packaging.quality import evaluation_rows
from scopezoo.packaging.weights import PackagedWeights

FORMAT_VERSION = "0.5.9"
README = "README.md"
COVER = "cover.png"
Entry = dict[str, Any]

MODALITIES = {
    "fluorescence": "fluorescence-light-microscopy",
    "electron": "electron-microscopy",
    "transmission": "transmission-light-microscopy",
    "bright": "transmission-light-microscopy",
}
"""The zoo's tag by a word of the author's modality."""


def describe(
    metadata: Metadata,
    inputs: Sequence[Entry],
    outputs: Sequence[Entry],
    weights: PackagedWeights,
    figures: Figures | None = None,
    evaluation: Mapping[str, Any] | None = None,
) -> Entry:
    """The description as a mapping; without `figures` a draft that can be measured."""
    found: Entry = {
        "format_version": FORMAT_VERSION,
        "type": "model",
        "id": metadata.model_id,
        "name": metadata.name,
        "version": metadata.version,
        "description": " ".join(metadata.description.split()),
        "documentation": README,
        "covers": [COVER],
        "authors": [author.model_dump(exclude_none=True) for author in metadata.authors],
        "cite": [citation.model_dump(exclude_none=True) for citation in metadata.cite],
        "license": metadata.license,
        "tags": tags(metadata, weights),
        "inputs": list(inputs),
        "outputs": list(outputs),
        "weights": {name: dict(entry) for name, entry in weights.entries.items()},
    }
    for key in ("maintainers", "packaged_by"):
        people = [person.model_dump(exclude_none=True) for person in getattr(metadata, key)]
        found |= {key: people} if people else {}
    if metadata.git_repo:
        found["git_repo"] = metadata.git_repo
    if metadata.parent:
        found["parent"] = metadata.parent.model_dump(exclude_none=True)
    if metadata.training_data:
        found["training_data"] = {"id": metadata.training_data.id}
    if figures is not None:
        found["timestamp"] = figures.measured_at
        found["config"] = _config(metadata, weights.parameters, figures, evaluation)
    return found


def tags(metadata: Metadata, weights: PackagedWeights) -> list[str]:
    """The author's tags and those of the zoo's categories that follow from what is known."""
    space = [letter for letter in metadata.inputs[0].axes if letter in "zyx"]
    steps = {step.id for output in metadata.outputs for step in output.postprocessing}
    known = [f"{len(space)}d", "fiji"]
    known += [weights.framework] if weights.framework else []
    known += ["instance-segmentation"] if "stardist_postprocessing" in steps else []
    known += ["unet"] if "u-net" in (metadata.architecture or "").lower() else []
    modality = (metadata.modality or "").lower()
    known += [tag for word, tag in MODALITIES.items() if word in modality]
    return list(dict.fromkeys([*metadata.tags, *known]))


def _config(
    metadata: Metadata,
    parameters: int,
    figures: Figures,
    evaluation: Mapping[str, Any] | None,
) -> Entry:
    tolerance, inference = figures.tolerance, figures.inference
    bioimageio: Entry = {
        "reproducibility_tolerance": [
            {
                "relative_tolerance": tolerance.relative,
                "absolute_tolerance": tolerance.absolute,
                "mismatched_elements_per_million": tolerance.mismatched_per_million,
            }
        ],
        "architecture_type": metadata.architecture,
        "modality": metadata.modality,
        "target_structure": list(metadata.target_structure) or None,
        "task": metadata.task,
        "out_of_scope_use": metadata.out_of_scope_use,
        "bias_risks_limitations": _without_none(
            {
                "known_biases": metadata.known_biases,
                "limitations": metadata.limitations,
                "recommendations": metadata.recommendations,
            }
        ),
        "model_parameter_count": parameters,
        "inference_time": f"{inference.time_s:g} s for {run_text(figures)}",
        "memory_requirements_inference": (
            f"{inference.peak_memory_bytes / 1e6:.0f} MB of main memory for {run_text(figures)}"
        ),
        "evaluations": _evaluations(metadata, evaluation) if evaluation else None,
    }
    instances = metadata.instances
    own: Entry = {
        "halo_px": figures.halo.model_dump(),
        "inference": inference.model_dump(mode="json"),
        "parity": [entry.model_dump() for entry in figures.parity],
        "instances": None if instances is None else instances.model_dump(),
        "evaluation": _measured(evaluation) if evaluation else None,
    }
    return {"bioimageio": _without_none(bioimageio), "scopezoo": _without_none(own)}


def run_text(figures: Figures) -> str:
    """What was run for the time and memory figures, in words."""
    inference = figures.inference
    shape = " × ".join(str(size) for size in inference.input_shape if size > 1)
    return (
        f"{shape} pixels (ONNX Runtime {inference.version}, float32, {inference.threads} threads "
        f"of {inference.processor})"
    )


def _evaluations(metadata: Metadata, evaluation: Mapping[str, Any]) -> list[Entry] | None:
    """None for a dataset without an address, which the format wants: see `_measured`."""
    rows = evaluation_rows(evaluation)
    training_data = metadata.training_data
    url = (training_data.url if training_data else None) or metadata.git_repo
    if url is None:
        return None
    entry: Entry = {
        "model_id": metadata.model_id,
        **_measured(evaluation),
        "dataset_source": url,
        "sample_count": evaluation["images"],
        "evaluation_factors": ["overall"],
        "evaluation_factors_long": [f"all images of the {evaluation['part']} part"],
        "metrics_long": [long for _, long, _ in rows],
        "results_summary": f"Measured by `{evaluation['command']}`.",
    }
    return [entry]


def _measured(evaluation: Mapping[str, Any]) -> Entry:
    """The figures of an evaluation, as the format names them."""
    rows = evaluation_rows(evaluation)
    return {
        "dataset_id": evaluation["dataset"],
        "dataset_role": evaluation["part"],
        "metrics": [short for short, _, _ in rows],
        "results": [[value] for _, _, value in rows],
    }


def _without_none(entry: Entry) -> Entry:
    return {key: value for key, value in entry.items() if value is not None}


class _PlainDumper(yaml.SafeDumper):  # type: ignore[misc] # PyYAML is untyped
    """Writes repeated values out: aliases are what a careful reader of packages refuses."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 # PyYAML's own protocol
        return True


def to_yaml(description: Entry) -> bytes:
    """The description as YAML, keys in the order given."""
    text: str = yaml.dump(
        description, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=100
    )
    return text.encode("utf-8")


def check_description(description: Entry) -> None:
    """Raise PackageError with all that bioimageio.spec finds wrong; no file or address is read."""
    import copy

    from bioimageio.spec import ValidationContext, build_description

    context = ValidationContext(perform_io_checks=False)
    built = build_description(copy.deepcopy(description), context=context)
    errors = [e for detail in built.validation_summary.details for e in detail.errors]
    if errors:
        lines = [f"{'.'.join(map(str, e.loc))}: {' '.join(e.msg.split())}" for e in errors]
        unique = "; ".join(dict.fromkeys(lines))
        raise PackageError(f"the description does not keep to the format: {unique}")
