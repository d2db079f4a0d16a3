"""From a recipe or an ONNX file to a complete package."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from scopezoo.errors import UsageError
from scopezoo.packaging.archive import (
    RDF,
    refresh_folder,
    write_file,
    write_folder,
    write_zip,
)
from scopezoo.packaging.card import card
from scopezoo.packaging.cover import cover_png
from scopezoo.packaging.describe import (
    COVER,
    README,
    Entry,
    check_description,
    describe,
    to_yaml,
)
from scopezoo.packaging.figures import Figures, HaloFigures
from scopezoo.packaging.interface import Interface, read_interface
from scopezoo.packaging.kept import (
    FIGURES,
    MEASURED,
    kept_figures,
    measured_json,
    read_measured,
)
from scopezoo.packaging.measure import measure, measure_halo, run_model
from scopezoo.packaging.metadata import Metadata, OutputMetadata
from scopezoo.packaging.origin import METADATA, Origin, read_origin, source_file
from scopezoo.packaging.tensors import input_entries, output_entries, with_halo
from scopezoo.packaging.test_images import credit
from scopezoo.packaging.test_tensors import (
    entry_image,
    make_test_inputs,
    tensor_files,
    with_tensor_files,
)
from scopezoo.packaging.weights import PackagedWeights, make_weights
from scopezoo.predict.training_images import TRAINING_IMAGES
from scopezoo.store.files import sha256
from scopezoo.store.package import Package, open_package

T = TypeVar("T")


@dataclass(frozen=True)
class PackagingReport:
    """What was packaged: where, the files in it, the figures, and what the author should know.

    `is_measured_now` tells whether figures were measured, rather than taken from `measured.json`.
    """

    path: Path
    model_id: str
    files: tuple[str, ...]
    figures: Figures
    is_measured_now: bool
    notes: tuple[str, ...]


def package(source: Path, output: Path, *, measured: Path | None = None) -> PackagingReport:
    """Package a recipe with its weights, or an ONNX file with its metadata.

    `source` is `recipe.yaml` (with `weights.pt` beside it), `package.yaml` (with an ONNX file), or
    a folder with one of them. `output` is a .zip, or else a folder, which is made; an older package
    there is replaced once the new one is complete. The folder of a recipe as `output` becomes a
    package in place: what else is in it stays, and TorchScript is left to the zip.

    `measured` is where figures are kept, `measured.json` beside the source by default: what is
    there for these weights is not measured again, and with it the same inputs give the same bytes.

    Raises FileError for missing or wrong files and metadata, PackageError for weights that cannot
    be packaged, UsageError where `output` is a folder of something else.
    """
    path = source_file(source)
    in_place = output.resolve() == path.parent.resolve()
    if in_place and path.name == METADATA:
        raise UsageError(f"{output} is the source itself; give another folder or a .zip")
    write = refresh_folder if in_place else write_zip if output.suffix == ".zip" else write_folder
    build = _Build.start(path, measured, torchscript=not in_place)
    files = build.files()
    write(files, output)
    return build.report(output, files)


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
    tensors: dict[str, bytes] = field(default_factory=dict)

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
        tensors = self.metadata.model_dump_json(include={"inputs", "outputs"})
        subject = sha256((self.weights.source_sha256 + tensors).encode())
        kept = kept_figures(self.measured, subject)
        check_description(self._description())
        self._set_halo(kept.halo if kept else self._scratch(measure_halo))
        inputs = make_test_inputs(self.metadata, self.interface, self._inputs(), self.origin.folder)
        self.tensors |= tensor_files(self._inputs(), inputs)
        outputs = self._scratch(lambda package: run_model(package, inputs))
        self.tensors |= tensor_files(self._outputs(), outputs)
        halo = self.halo
        assert halo is not None
        self.figures = kept or self._scratch(
            lambda package: measure(package, inputs, outputs, halo, subject)
        )
        if kept is None:
            self._keep(self.figures)
        return self._complete(inputs, outputs)

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

    def _inputs(self) -> list[Entry]:
        return with_tensor_files(input_entries(self.metadata, self.interface), self.tensors)

    def _outputs(self) -> list[Entry]:
        halo = self.halo.declared_px if self.halo else {}
        return with_tensor_files(output_entries(self.metadata, self.interface, halo), self.tensors)

    def _description(self) -> Entry:
        description = describe(
            self.metadata,
            self._inputs(),
            self._outputs(),
            self.weights,
            self.figures,
            self.measured.get("evaluation"),
        )
        attached = self.origin.files.get(TRAINING_IMAGES)
        if attached is None:
            return description
        return {
            **description,
            "attachments": [{"source": TRAINING_IMAGES, "sha256": sha256(attached)}],
        }

    def _scratch(self, use: Callable[[Package], T]) -> T:
        """What `use` makes of the package as it stands, written to a scratch folder."""
        with tempfile.TemporaryDirectory(prefix="scopezoo-") as folder:
            rdf = to_yaml(self._description())
            contents = {**self.weights.files, **self.origin.files, **self.tensors, RDF: rdf}
            for name, content in contents.items():
                (Path(folder) / name).write_bytes(content)
            return use(open_package(folder))

    def _set_halo(self, halo: HaloFigures) -> None:
        self.interface, declared = with_halo(
            self.interface, halo.declared_px, self.metadata.inputs[0].pixel_size_um
        )
        self.halo = halo.model_copy(update={"declared_px": declared})

    def _keep(self, figures: Figures) -> None:
        """Keep figures for the next time, beside what others measured."""
        self.is_measured_now = True
        self.measured[FIGURES] = figures.model_dump(mode="json")
        write_file(measured_json(self.measured), self.measured_path)

    def _complete(
        self, inputs: Mapping[str, NDArray[Any]], outputs: Mapping[str, NDArray[Any]]
    ) -> dict[str, bytes]:
        assert self.figures is not None
        description = self._description()
        check_description(description)
        credits = [credit(entry.test) for entry in self.metadata.inputs]
        # A recipe's model is one of the collection, which answers to its id.
        name = self.metadata.model_id if self.origin.torch else f"{self.metadata.model_id}.zip"
        text = card(
            self.metadata,
            description,
            self.figures,
            self.measured.get("evaluation"),
            credits,
            name,
            self.origin.quality,
        )
        pictures = [
            entry_image(entry, arrays[entry["id"]])
            for entry, arrays in ((self._inputs()[0], inputs), (self._outputs()[0], outputs))
        ]
        return {
            **self.weights.files,
            **self.tensors,
            **self.origin.files,
            RDF: to_yaml(description),
            README: text,
            COVER: cover_png(*pictures, is_labels=gives_labels(self.metadata.outputs[0])),
            MEASURED: measured_json(self.measured),
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


def gives_labels(output: OutputMetadata) -> bool:
    """Whether an output is a label image."""
    return any(step.id == "stardist_postprocessing" for step in output.postprocessing)
