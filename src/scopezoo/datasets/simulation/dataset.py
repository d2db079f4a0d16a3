"""A simulated dataset on disk, as two microscopes would leave it, with the truth beside it.

source/<specimen>_<field>.ome.tif     what the first instrument saw, uint16
target/<specimen>_<field>.ome.tif     what the second saw; not for one instrument alone
metadata.yaml                         instruments, stain, specimens, licence
truth/source/…, truth/target/…        expected photons without noise, float32
truth/emitters/….npy                  N × z, y, x (µm in the target's frame), brightness
truth/….transform.json                4×4 matrix from source to target
truth/….json                          drift, specimen, cells, seed
truth/config.yaml                     what it was made from
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.random import SeedSequence
from numpy.typing import NDArray

from scopezoo.datasets.simulation.config import PairConfig
from scopezoo.datasets.simulation.instrument import Instrument
from scopezoo.datasets.simulation.pair import SimulatedPair, simulate_pair
from scopezoo.errors import FileError
from scopezoo.formats import create_image
from scopezoo.formats.limits import writing
from scopezoo.image import Image

FOLDERS = "source", "target", "truth/source", "truth/target", "truth/emitters"


def simulate_dataset(
    config: PairConfig,
    folder: Path,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[str]:
    """Simulate all fields of a configuration into a new folder; the names of the fields.

    A field depends on the configuration, its specimen's name and its number, not on how many there
    are. Raises FileError where the folder has content or the system refuses.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise FileError(f"{folder} is not empty; give a new folder")
    fields = list(_fields(config))
    with writing(folder):
        for name in FOLDERS:
            if config.target is not None or "target" not in name:
                (folder / name).mkdir(parents=True, exist_ok=True)
    progress(0, len(fields))
    for done, (specimen, number) in enumerate(fields, start=1):
        pair = simulate_pair(config, field_seed(config.seed, specimen, number), specimen)
        _write_pair(folder, f"{specimen}_{number:03d}", pair, config, number)
        progress(done, len(fields))
    _write_yaml(folder / "truth" / "config.yaml", config.model_dump(mode="json"))
    _write_yaml(folder / "metadata.yaml", metadata(config))
    return [f"{specimen}_{number:03d}" for specimen, number in fields]


def field_seed(seed: int, specimen: str, number: int) -> SeedSequence:
    """The seed of one field, whatever the other fields are."""
    return SeedSequence(seed, spawn_key=(zlib.crc32(specimen.encode()), number))


def metadata(config: PairConfig) -> dict[str, Any]:
    """What a lab would write down about its acquisitions, for `dataset import`."""
    about: dict[str, Any] = {
        "name": config.name,
        "description": config.description,
        "licence": config.licence,
        "authors": [{"name": author} for author in config.authors],
        "aligned": config.aligned,
        "pattern": "{specimen}_{field}",
        "source": _instrument(config.source),
    }
    if config.target is not None:
        about["target"] = _instrument(config.target)
    about["specimens"] = {
        specimen.name: {"stain": ", ".join(specimen.structures), "simulated": True}
        for specimen in config.specimens
    }
    return about


def _instrument(instrument: Instrument) -> dict[str, Any]:
    excitation, emission = instrument.wavelength_um
    light = {"excitation": excitation, "emission": emission}
    return {
        "microscope": instrument.name,
        "modality": instrument.kind,
        "objective": instrument.objective,
        "numerical_aperture": instrument.na,
        "immersion_index": instrument.immersion_index,
        "wavelength_um": {"emission": emission} if instrument.kind == "transmitted" else light,
        "voxel_size_um": dict(zip("zyx", instrument.voxel_um, strict=True)),
    } | ({"pinhole_airy_units": instrument.pinhole_au} if instrument.kind == "confocal" else {})


def _fields(config: PairConfig) -> Iterator[tuple[str, int]]:
    for specimen in config.specimens:
        for number in range(1, config.fields + 1):
            yield specimen.name, number


def _write_pair(
    folder: Path, name: str, pair: SimulatedPair, config: PairConfig, number: int
) -> None:
    _write_image(folder / "source" / f"{name}.ome.tif", pair.source)
    _write_clean(folder / "truth/source" / f"{name}.ome.tif", pair.source_clean, pair.source)
    if pair.target is not None and pair.target_clean is not None:
        _write_image(folder / "target" / f"{name}.ome.tif", pair.target)
        _write_clean(folder / "truth/target" / f"{name}.ome.tif", pair.target_clean, pair.target)
    truth = folder / "truth"
    with writing(truth):
        np.save(truth / "emitters" / f"{name}.npy", pair.emitters)
    if pair.target is not None:
        _write_json(
            truth / f"{name}.transform.json",
            {
                "matrix": pair.source_to_target.tolist(),
                "axes": "zyx",
                "unit": "micrometer",
                "from": "source",
                "to": "target",
            },
        )
    middle = (config.target or config.source).centre_um
    _write_json(
        truth / f"{name}.json",
        {
            "specimen": pair.specimen,
            "field": number,
            "seed": config.seed,
            "structures": pair.structures,
            "source_drift_um": {"axes": "yx", "planes": pair.drift_um.tolist()},
            "nuclei": [
                {
                    "centre_um": (cell.place(cell.nucleus_centre_um[None])[0] + middle).tolist(),
                    "half_axes_um": cell.nucleus_um.tolist(),
                    "angle_rad": cell.angle,
                }
                for cell in pair.cells
            ],
        },
    )


def _write_clean(path: Path, clean: NDArray[np.float32], like: Image) -> None:
    _write_image(path, Image(clean, "ZYX", like.pixel_size_um))


def _write_image(path: Path, image: Image) -> None:
    writer = create_image(path, shape=image.shape, dtype=image.dtype, axes=image.axes, like=image)
    writer[tuple(slice(0, size) for size in image.shape)] = image.read()
    writer.close()


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with writing(path):
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _write_yaml(path: Path, content: dict[str, Any]) -> None:
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    with writing(path):
        path.write_text(text, encoding="utf-8")
