"""The card of a dataset: README.md, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from scopezoo.datasets.paired.manifest import Instrument, Manifest, Pair


def card(manifest: Manifest) -> str:
    """Markdown: what was taken of what, with which microscopes, how well it is registered, how to
    read and to cite it."""
    simulated = bool(manifest.specimens) and all(one.simulated for one in manifest.specimens)
    lines = [
        f"# {manifest.name}",
        "",
        manifest.description or "Pairs of images of one field by two microscopes.",
        "",
        *(["**The images are simulated**, no microscope took them.", ""] if simulated else []),
        f"{len(manifest.pairs)} pairs of {len(manifest.specimens)} specimens. "
        f"Licence: {manifest.license or 'none is given'}.",
        "",
        "## Microscopes",
        "",
        *_table(
            ("id", "microscope", "objective", "NA", "emission, µm", "voxel z × y × x, µm"),
            [_instrument(one) for one in manifest.instruments],
        ),
        "",
        "## Specimens",
        "",
        *_table(
            ("specimen", "pairs", "part", "stain", "organism", "description"),
            _specimens(manifest),
        ),
        "",
        "## Registration",
        "",
        *_registration(manifest.pairs),
        "",
        "## Reading",
        "",
        "Every image is an OME-Zarr 0.5 with physical units, `fields/<pair>/source.ome.zarr` and "
        "`fields/<pair>/target.ome.zarr`; napari opens them. `dataset.json` "
        "(`dataset.schema.json` describes it) lists pairs, transforms, quality, split and SHA-256 "
        "of all chunks. A transform is a 4×4 matrix on (z, y, x, 1) in µm from source to target, "
        "0 at the centre of the first voxel. Pixels are as they were taken.",
        "",
        "```python",
        "from scopezoo.datasets.paired import Dataset",
        "",
        'dataset = Dataset.open("FOLDER_OR_ZIP")',
        'for patch in dataset.patches("training", (16, 64, 64), seed=0):',
        "    patch.source, patch.target  # aligned, float32, ZYX",
        "```",
        "",
        "`scopezoo dataset check FOLDER_OR_ZIP` verifies it.",
        "",
        "## Authors and how to cite",
        "",
        *[f"- {_person(one.name, one.affiliation, one.orcid)}" for one in manifest.authors],
        "",
        *[f"- {_work(one.text, one.doi, one.url)}" for one in manifest.cite],
        f"- {how_to_cite(manifest)}",
        "",
    ]
    return "\n".join(lines)


def how_to_cite(manifest: Manifest) -> str:
    """The dataset as a reference."""
    names = ", ".join(author.name for author in manifest.authors) or "Unknown authors"
    return f"{names}. {manifest.name} [dataset, {manifest.id}]."


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    shown = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in shown]


def _instrument(one: Instrument) -> list[str]:
    voxel = one.voxel_um
    sizes = "–" if voxel is None else " × ".join(_number(n) for n in (voxel.z, voxel.y, voxel.x))
    microscope = ", ".join(part for part in (one.microscope, one.modality) if part)
    return [
        one.id,
        microscope or "–",
        one.objective or "–",
        _number(one.na),
        _number(one.wavelength_um),
        sizes,
    ]


def _specimens(manifest: Manifest) -> Iterable[list[str]]:
    count = Counter(pair.specimen for pair in manifest.pairs)
    for one in manifest.specimens:
        part = manifest.split.part_of(one.id) if manifest.split else None
        told = (one.stain, one.organism, one.description)
        yield [one.id, str(count[one.id]), part or "–", *(text or "–" for text in told)]


def _registration(pairs: list[Pair]) -> list[str]:
    count = Counter(pair.status for pair in pairs)
    lines = [
        f"{count['registered']} pairs are registered, {count['failed']} could not be and are left "
        f"out of training, {count['unregistered']} are not registered yet.",
    ]
    figures = [
        (float(known["residual_median_um"]), float(known["residual_p95_um"]))
        for pair in pairs
        if pair.status == "registered" and pair.quality
        if (known := pair.quality.model_extra or {}).get("residual_median_um") is not None
        and known.get("residual_p95_um") is not None
    ]
    if figures:
        worst = max(median for median, _ in figures)
        middle = sorted(median for median, _ in figures)[len(figures) // 2]
        lines += [
            "",
            "Judged without ground truth, by sub-blocks registered anew: lateral residual "
            f"(median of a pair) {1000 * middle:.0f} nm in the usual pair, {1000 * worst:.0f} nm "
            "in the worst.",
        ]
    return lines


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def _person(name: str, affiliation: str | None, orcid: str | None) -> str:
    more = [affiliation] if affiliation else []
    more += [f"https://orcid.org/{orcid}"] if orcid else []
    return ", ".join([name, *more])


def _work(text: str, doi: str | None, url: str | None) -> str:
    link = f"https://doi.org/{doi}" if doi else url
    return f"{text} {link}" if link else text
