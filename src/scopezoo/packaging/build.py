"""From a recipe or an ONNX file to a complete package."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from scopezoo.errors import FileError
from scopezoo.packaging.archive import (
    RDF,
    refresh_folder,
    write_file,
    write_folder,
    write_zip,
)
from scopezoo.packaging.card import card
from scopezoo.packaging.cover import cover_png, sample_tiff, tensor_image
from scopezoo.packaging.describe import (
    COVER,
    README,
    Entry,
    check_description,
    describe,
    to_yaml,
)
from scopezoo.packaging.figures import Figures, HaloFigures
from scopezoo.packaging.interface import Interface, legal, read_interface
from scopezoo.packaging.measure import Arrays, measure, measure_halo, run_model
from scopezoo.packaging.metadata import AXIS_IDS, Metadata, OutputMetadata
from scopezoo.packaging.origin import (
    MEASURED,
    Origin,
    read_measured,
    read_origin,
    source_file,
)
from scopezoo.packaging.tensors import input_entries, output_entries, with_halo
from scopezoo.packaging.test_images import credit, test_pixels
from scopezoo.packaging.weights import PackagedWeights, make_weights
from scopezoo.store.files import sha256
from scopezoo.store.package import Package, open_package

FIGURES = "packaging"
"""Key of `measured.json` under which the figures of this module are kept."""
TEST_PX = {"z": 32, "y": 256, "x": 256}
LETTERS = {axis: letter for letter, axis in AXIS_IDS.items()}


@dataclass(frozen=True)
class PackagingReport:
    """What was packaged: where, the files in it, the figures, and what the author should know."""

    path: Path
    model_id: str
    files: tuple[str, ...]
    figures: Figures
    measured: bool
    notes: tuple[str, ...]


def package(source: Path, output: Path, *, measured: Path | None = None) -> PackagingReport:
    """Package a recipe with its weights, or an ONNX file with its metadata.

    `source` is `recipe.yaml` (with `weights.pt` beside it), `package.yaml` (with an ONNX file), or
    a folder with one of them. `output` is a .zip, or else a folder, which is made; an older package
    there is replaced once the new one is complete. `measured` is where figures are kept,
    `measured.json` beside the source by default: what is there for these weights is not measured
    again, and with it the same inputs give the same bytes.

    Raises FileError for missing or wrong files and metadata, PackageError for weights that cannot
    be packaged.
    """
    build = _Build.start(source, measured, torchscript=True)
    files = build.files()
    write = write_zip if output.suffix == ".zip" else write_folder
    write(files, output)
    return build.report(output, files)


def write_collection_folder(source: Path, *, measured: Path | None = None) -> PackagingReport:
    """Make the folder of a recipe a package in itself, in place; TorchScript is left to the zip.

    Files that do not belong to the package stay. Raises what `package` raises.
    """
    build = _Build.start(source, measured, torchscript=False)
    files = build.files()
    folder = source_file(source).parent
    refresh_folder(files, folder)
    return build.report(folder, files)


@dataclass
class _Build:
    """A package in the making; `measured` is all of `measured.json`."""

    origin: Origin
    weights: PackagedWeights
    interface: Interface
    measured_path: Path
    measured: dict[str, Any]
    halo: HaloFigures | None = None
    figures: Figures | None = None
    is_measured_now: bool = False

    @classmethod
    def start(cls, source: Path, measured: Path | None, *, torchscript: bool) -> _Build:
        measured_path = measured or source_file(source).parent / MEASURED
        known = read_measured(measured_path)
        origin = read_origin(source, known)
        weights = make_weights(origin, torchscript=torchscript)
        interface = read_interface(weights.onnx, origin.metadata)
        return cls(origin, weights, interface, measured_path, known)

    @property
    def metadata(self) -> Metadata:
        return self.origin.metadata

    def files(self) -> dict[str, bytes]:
        """Every file of the package by name; measures what is not known yet."""
        kept = kept_figures(self.measured, self._subject_sha256())
        self.halo = kept.halo if kept else self._measured_halo()
        self.interface, declared = with_halo(self.interface, self.halo.declared_px)
        self.halo = self.halo.model_copy(update={"declared_px": declared})
        inputs = self._test_inputs()
        package = dict(self.weights.files) | self._tensor_files(inputs, {})
        draft = self._description(inputs, {}, declared, None)
        check_description(draft)
        with tempfile.TemporaryDirectory(prefix="scopezoo-") as folder:
            outputs = run_model(_opened(draft, package, Path(folder)), inputs)
        package |= self._tensor_files(inputs, outputs)
        self.figures = kept or self._measured_figures(package, inputs, outputs, declared)
        description = self._description(inputs, outputs, declared, self.figures)
        check_description(description)
        return self._complete(package, description, inputs, outputs)

    def report(self, path: Path, files: Mapping[str, bytes]) -> PackagingReport:
        assert self.figures is not None
        return PackagingReport(
            path,
            self.metadata.model_id,
            tuple(sorted(files)),
            self.figures,
            self.is_measured_now,
            tuple(self._notes()),
        )

    def _subject_sha256(self) -> str:
        tensors = self.metadata.model_dump_json(include={"inputs", "outputs"})
        return sha256((self.weights.source_sha256 + tensors).encode())

    def _measured_halo(self) -> HaloFigures:
        draft = self._description({}, {}, {}, None)
        check_description(draft)
        with tempfile.TemporaryDirectory(prefix="scopezoo-") as folder:
            return measure_halo(_opened(draft, self.weights.files, Path(folder)))

    def _measured_figures(
        self, files: Mapping[str, bytes], inputs: Arrays, outputs: Arrays, halo: Mapping[str, int]
    ) -> Figures:
        """Measure, and keep it for the next time beside what others measured."""
        assert self.halo is not None
        draft = self._description(inputs, outputs, halo, None)
        with tempfile.TemporaryDirectory(prefix="scopezoo-") as folder:
            opened = _opened(draft, files, Path(folder))
            figures = measure(opened, inputs, outputs, self.halo, self._subject_sha256())
        self.is_measured_now = True
        self.measured[FIGURES] = figures.model_dump(mode="json")
        write_file(measured_json(self.measured), self.measured_path)
        return figures

    def _test_inputs(self) -> dict[str, NDArray[Any]]:
        first = self.metadata.inputs[0].test
        sizes = {
            letter: legal(size, first.size_px.get(letter, TEST_PX.get(letter, 1)))  # type: ignore[call-overload] # letters are checked
            for letter, size in self.interface.sizes.items()
        }
        entries = input_entries(self.metadata, self.interface)
        found = {}
        for entry, said, port in zip(
            entries, self.metadata.inputs, self.interface.inputs, strict=True
        ):
            channels = [len(a["channel_names"]) for a in entry["axes"] if a["type"] == "channel"]
            fixed = {
                letter: size
                for letter, size in zip(said.axes, port.shape or (), strict=False)
                if size is not None
            }
            all_sizes = {"b": 1, "c": channels[0] if channels else 1, **sizes, **fixed}
            pixels = test_pixels(said.test, said.axes, all_sizes, self.origin.folder)
            found[entry["id"]] = pixels.astype(port.dtype)
        return found

    def _description(
        self, inputs: Arrays, outputs: Arrays, halo: Mapping[str, int], figures: Figures | None
    ) -> Entry:
        return describe(
            self.metadata,
            [self._with_tensors(e, inputs) for e in input_entries(self.metadata, self.interface)],
            [
                self._with_tensors(e, outputs)
                for e in output_entries(self.metadata, self.interface, halo)
            ],
            self.weights,
            figures,
            self.measured.get("evaluation"),
        )

    def _with_tensors(self, entry: Entry, arrays: Arrays) -> Entry:
        """The entry with its test tensor and sample image, where they are known."""
        if entry["id"] not in arrays:
            return entry
        files = self._tensor_files({entry["id"]: arrays[entry["id"]]}, {})
        named = {
            f"{kind}_tensor": {"source": name, "sha256": sha256(content)}
            for (name, content), kind in zip(files.items(), ("test", "sample"), strict=True)
        }
        return {**entry, **named}

    def _tensor_files(self, inputs: Arrays, outputs: Arrays) -> dict[str, bytes]:
        files = {}
        for name, array in {**inputs, **outputs}.items():
            files[f"test_{name}.npy"] = _npy(array)
            files[f"sample_{name}.tif"] = sample_tiff(tensor_image(array, self._letters(name)))
        return files

    def _letters(self, name: str) -> str:
        entries = [
            *input_entries(self.metadata, self.interface),
            *output_entries(self.metadata, self.interface, {}),
        ]
        axes = next(entry["axes"] for entry in entries if entry["id"] == name)
        return "".join(LETTERS[axis.get("id", axis["type"])] for axis in axes)

    def _complete(
        self, files: dict[str, bytes], description: Entry, inputs: Arrays, outputs: Arrays
    ) -> dict[str, bytes]:
        assert self.figures is not None
        credits = [credit(entry.test) for entry in self.metadata.inputs]
        evaluation = self.measured.get("evaluation")
        # A recipe's model is one of the collection, which answers to its id.
        name = self.metadata.model_id if self.origin.torch else f"{self.metadata.model_id}.zip"
        first_in, first_out = next(iter(inputs)), next(iter(outputs))
        images = [
            tensor_image(arrays[name], self._letters(name))
            for name, arrays in ((first_in, inputs), (first_out, outputs))
        ]
        return files | {
            RDF: to_yaml(description),
            README: card(self.metadata, description, self.figures, evaluation, credits, name),
            COVER: cover_png(*images, is_labels=gives_labels(self.metadata.outputs[0])),
            MEASURED: measured_json(self.measured),
            **self.origin.files,
        }

    def _notes(self) -> list[str]:
        """What the author should know."""
        assert self.halo is not None
        notes = [
            f"no halo makes tiles equal to the whole along {axis}: the network sees all of it"
            for axis, needed in self.halo.needed_px.items()
            if needed is None
        ]
        notes += [
            f"a halo of {needed} pixels is needed along {axis}, but the fixed size lets only "
            f"{self.halo.declared_px[axis]} be declared"
            for axis, needed in self.halo.needed_px.items()
            if needed is not None and needed > self.halo.declared_px[axis]
        ]
        if not self.metadata.maintainers and not any(a.github_user for a in self.metadata.authors):
            notes.append("the zoo wants a github_user of an author or of a maintainer")
        return notes


def kept_figures(measured: Mapping[str, Any], subject_sha256: str) -> Figures | None:
    """The figures in `measured.json` that are of these weights and tensors.

    Raises FileError where they are damaged.
    """
    found = measured.get(FIGURES)
    if not found:
        return None
    try:
        figures = Figures.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise FileError(
            f"{MEASURED}: {FIGURES}.{where}: {first['msg']}; remove {FIGURES!r} to measure again"
        ) from error
    return figures if figures.subject_sha256 == subject_sha256 else None


def measured_json(measured: Mapping[str, Any]) -> bytes:
    """`measured.json` in one form."""
    return (json.dumps(measured, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def gives_labels(output: OutputMetadata) -> bool:
    """Whether an output is a label image."""
    return any(step.id == "stardist_postprocessing" for step in output.postprocessing)


def _npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(array), allow_pickle=False)
    return file.getvalue()


def _opened(description: Entry, files: Mapping[str, bytes], folder: Path) -> Package:
    """The package, written to a scratch folder and opened."""
    for name, content in {**files, RDF: to_yaml(description)}.items():
        (folder / name).write_bytes(content)
    return open_package(folder)
