"""The model card, README.md, in the order of the zoo's template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scopezoo.packaging.describe import COVER, Entry, run_text
from scopezoo.packaging.figures import Figures
from scopezoo.packaging.markdown import table
from scopezoo.packaging.metadata import Citation, Metadata
from scopezoo.packaging.quality import quality_text

JDLL_UNKNOWN = {
    "stardist_postprocessing": "the StarDist step that turns its output into labels",
    "softmax": "softmax",
    "scale_mean_variance": "scaling to the input's mean and variance",
}
"""Steps that deepImageJ cannot do."""
DEFAULT_RISKS = (
    "A network always gives a result, also on images unlike those that it was trained on: an "
    "object in the output is no proof of an object in the specimen."
)
DEFAULT_ADVICE = (
    "Look at results on your own images beside the raw data, and measure them on some that "
    "somebody annotated, before drawing conclusions."
)
WEIGHTS_NAMES = {
    "onnx": "ONNX",
    "torchscript": "TorchScript (traced)",
    "pytorch_state_dict": "PyTorch state dict",
}


def card(
    metadata: Metadata,
    description: Entry,
    figures: Figures,
    evaluation: Mapping[str, Any] | None,
    credits: Sequence[str],
    name: str,
    quality: str | None = None,
) -> bytes:
    """The card as Markdown.

    `credits` says where each test input is from, `name` what scopezoo's commands call the model,
    `quality` is a report of it on a dataset, in Markdown.
    """
    sections = [
        f"# {metadata.name}\n\n![Input and output]({COVER})\n\n{_text(metadata.description)}",
        _details(metadata, description, figures),
        f"# Intended use\n\n{_text(metadata.intended_use)}",
        _limits(metadata),
        _training(metadata),
        _validation(metadata, evaluation, name),
        *([quality.strip()] if quality else []),
        _technical(description, figures, credits),
        _use(metadata, description, name),
        _citation(metadata.cite),
        f"# Licence\n\nWeights and package: {metadata.license}.",
    ]
    return ("\n\n".join(sections) + "\n").encode("utf-8")


def _text(text: str) -> str:
    return " ".join(text.split())


def _details(metadata: Metadata, description: Entry, figures: Figures) -> str:
    parameters = description["config"]["bioimageio"]["model_parameter_count"]
    rows = [
        ("Version", metadata.version),
        ("Made by", ", ".join(author.name for author in metadata.authors)),
        ("Task", metadata.task),
        ("Images", metadata.modality),
        ("Network", metadata.architecture),
        ("Parameters", f"{parameters:,}"),
        ("Measured", figures.measured_at[:10]),
        ("Source", metadata.git_repo),
    ]
    return "# Model details\n\n" + table(("", ""), [(k, str(v)) for k, v in rows if v])


def _limits(metadata: Metadata) -> str:
    parts = [
        "# Bias, risks and limitations",
        _text(metadata.limitations),
        _text(metadata.known_biases or DEFAULT_RISKS),
        f"**Recommended:** {_text(metadata.recommendations or DEFAULT_ADVICE)}",
    ]
    if metadata.out_of_scope_use:
        parts.insert(2, f"**Not for:** {_text(metadata.out_of_scope_use)}")
    return "\n\n".join(parts)


def _training(metadata: Metadata) -> str:
    told = metadata.how_trained or "The authors of this package do not say how it was trained."
    parts = ["# Training", _text(told)]
    data = metadata.training_data
    if data is not None:
        link = f"[{data.id}]({data.url})" if data.url else f"`{data.id}`"
        parts.append(f"Training data: {link}.")
    return "\n\n".join(parts)


def _validation(metadata: Metadata, evaluation: Mapping[str, Any] | None, name: str) -> str:
    head = "# Validation\n\n"
    check = (
        f"`scopezoo validate {name}` checks that the weights reproduce the test "
        "output in every format, that tiling changes nothing, and the other promises of this card."
    )
    if evaluation is None:
        return (
            f"{head}No quality was measured for this package. To measure it on your own images, "
            "run the model on some that somebody annotated and compare, for instance by average "
            f"precision (objects) or PSNR and SSIM (images).\n\n{check}"
        )
    parts = [quality_text(metadata, evaluation), f"Measured by `{evaluation['command']}`."]
    if metadata.on_real_images:
        parts.append(f"## On real images\n\n{metadata.on_real_images.strip()}")
    return head + "\n\n".join([*parts, check])


def _technical(description: Entry, figures: Figures, credits: Sequence[str]) -> str:
    inputs = [f"- input `{t['id']}`: {_axes(t)}, {_steps(t, 'pre')}" for t in description["inputs"]]
    outputs = [
        f"- output `{t['id']}`: {_axes(t)}, {_steps(t, 'post')}" for t in description["outputs"]
    ]
    formats = ", ".join(WEIGHTS_NAMES[name] for name in description["weights"])
    parts = [
        "# Technical specifications",
        "\n".join([*inputs, *outputs]),
        f"Weights: {formats}. {_agreement(figures)}",
        _halo(figures),
        f"One run takes {figures.inference.time_s:g} s and "
        f"{figures.inference.peak_memory_bytes / 1e6:.0f} MB of main memory beyond the program, "
        f"for {run_text(figures)}.",
        f"Test input: {'; '.join(credits)}.",
    ]
    return "\n\n".join(parts)


def _axes(tensor: Entry) -> str:
    """Axes with their sizes, in words."""
    words = []
    for axis in tensor["axes"]:
        size = axis.get("size")
        name = axis.get("id", axis["type"])
        if axis["type"] == "channel":
            names = axis["channel_names"]
            plural = "s" if len(names) > 1 else ""
            words.append(f"{len(names)} channel{plural} ({', '.join(names)})")
        elif isinstance(size, dict) and "step" in size:
            words.append(f"{name} {size['min']} + n·{size['step']}")
        elif isinstance(size, int) and axis["type"] != "batch":
            words.append(f"{name} {size}")
        else:
            words.append(name)
    return f"({', '.join(words)}) {tensor['data']['type']}"


def _steps(tensor: Entry, kind: str) -> str:
    names = [f"`{step['id']}`" for step in tensor[f"{kind}processing"]]
    return f"{kind}-processing {' then '.join(names)}" if names else f"no {kind}-processing"


def _agreement(figures: Figures) -> str:
    if not figures.parity:
        return "Run with ONNX Runtime only."
    rows = [
        [
            f"{entry.runtime} {entry.version}",
            f"{entry.raw_max_difference:.2g}",
            f"{entry.max_difference:.2g}",
            f"{entry.mismatched_per_million:.3g}",
        ]
        for entry in figures.parity
    ]
    header = ("runtime", "network output", "final values", "labels that differ, per million")
    largest = max(entry.raw_max_magnitude for entry in figures.parity)
    return (
        f"Largest difference to ONNX Runtime {figures.inference.version} on the test input (the "
        f"network's output reaches {largest:.3g}):\n\n{table(header, rows)}"
    )


def _halo(figures: Figures) -> str:
    halo = figures.halo
    unbounded = [axis for axis, needed in halo.needed_px.items() if needed is None]
    if unbounded:
        return (
            f"Every output pixel depends on the whole image along {' and '.join(unbounded)} (the "
            "network averages over all of it), so no halo makes tiles equal to the whole: run the "
            "image as one tile where it matters."
        )
    needed = ", ".join(f"{axis} {px}" for axis, px in halo.needed_px.items())
    radius = ", ".join(f"{axis} {px}" for axis, px in halo.radius_px.items() if px is not None)
    return (
        f"Halo for tiling, measured (error at most 1e-5): {needed} pixels. "
        f"Receptive radius of the graph: {radius or 'unknown'} pixels."
    )


def _use(metadata: Metadata, description: Entry, name: str) -> str:
    first = description["outputs"][0]["id"]
    unknown = [
        JDLL_UNKNOWN[step.id]
        for tensor in metadata.outputs
        for step in tensor.postprocessing
        if step.id in JDLL_UNKNOWN
    ]
    deepimagej = "deepImageJ loads this package as it is."
    if unknown:
        deepimagej = (
            f"deepImageJ loads this package but cannot do {' and '.join(unknown)}: use the "
            "scopezoo command there."
        )
    return f"""# How to use

In a shell, with scopezoo:

```
scopezoo predict {name} image.tif -o result.tif
```

The result opens in ImageJ, Fiji and napari. {deepimagej}
{_objects(metadata, name)}
In Python:

```python
from scopezoo.predict import predict

result = predict("{name}", "image.tif")
pixels = result.images["{first}"].read()
```

or with [bioimageio.core](https://github.com/bioimage-io/core-bioimage-io-python):

```python
from bioimageio.core import predict

sample = predict(model="{metadata.model_id}.zip", inputs="image.tif")
```"""


def _objects(metadata: Metadata, name: str) -> str:
    """How probabilities become objects, where the package says it."""
    how = metadata.instances
    if how is None:
        return ""
    return f"""
To get one label for each object as well, with a table:

```
scopezoo predict {name} image.tif -o result.tif --instances --table
```

The labels are in `result.labels.tif`. The step is this: connected pixels with a probability of
`{how.inside}` above {how.inside_threshold:g}, at least {how.smallest_px} of them, are the seed of
an object; seeds grow by a watershed over the probability of `{how.inside}`, highest first, to all
pixels where `{how.inside}` and `{how.border}` together are above {how.mask_threshold:g}. Other
programs can do the same: scikit-image's `label` and `watershed`.
"""


def _citation(cite: Sequence[Citation]) -> str:
    lines = []
    for entry in cite:
        link = f"https://doi.org/{entry.doi}" if entry.doi else entry.url
        lines.append(f"- {entry.text}, {link}")
    return "# Citation\n\n" + "\n".join(lines)
