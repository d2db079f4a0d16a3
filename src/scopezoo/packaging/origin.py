"""What is to be packaged: a recipe with torch weights, or somebody's ONNX file with metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scopezoo.errors import FileError
from scopezoo.packaging.metadata import Metadata, read_metadata
from scopezoo.predict.training_images import TRAINING_IMAGES

if TYPE_CHECKING:
    import torch

RECIPE = "recipe.yaml"
METADATA = "package.yaml"
STATE_DICT = "weights.pt"
QUALITY = "quality.md"


@dataclass(frozen=True)
class TorchNetwork:
    """A network with its weights, and how to build it again without scopezoo.

    `module_name`, `callable` and `arguments` say where its source is and how it is called.
    """

    network: torch.nn.Module
    state_dict: bytes
    module_name: str
    callable: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Origin:
    """Metadata and weights, either `torch` or `onnx`; paths in the metadata start at `folder`.

    `files` go into the package as they are. `quality` is a section of the card, in Markdown, as
    `scopezoo validate --dataset` writes it.
    """

    metadata: Metadata
    folder: Path
    torch: TorchNetwork | None = None
    onnx: bytes | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    quality: str | None = None


def read_origin(source: Path, measured: Mapping[str, Any]) -> Origin:
    """Read what `source` names: a recipe, a metadata file, or a folder with one of them.

    A recipe's state dict is `weights.pt` beside it. `measured` has the tuned thresholds.
    Raises FileError for what is missing or wrong.
    """
    path = source_file(source)
    if path.name == METADATA or path.name.endswith(f".{METADATA}"):
        return _with_what_lies_beside(_from_metadata(path))
    from scopezoo.packaging.from_recipe import origin_from_recipe

    return _with_what_lies_beside(origin_from_recipe(path, path.parent / STATE_DICT, measured))


def _with_what_lies_beside(origin: Origin) -> Origin:
    """With how the training images look, and the quality report, where they are in the folder."""
    known, report = origin.folder / TRAINING_IMAGES, origin.folder / QUALITY
    if known.exists():
        origin = replace(origin, files={**origin.files, TRAINING_IMAGES: known.read_bytes()})
    if report.exists():
        origin = replace(origin, quality=report.read_text(encoding="utf-8"))
    return origin


def source_file(source: Path) -> Path:
    """The recipe or metadata file that `source` names. Raises FileError where there is none."""
    if source.is_file():
        return source
    for name in (RECIPE, METADATA):
        if (source / name).is_file():
            return source / name
    what = "has neither" if source.is_dir() else "does not exist; expected a folder with"
    raise FileError(f"{source} {what} {RECIPE} (and {STATE_DICT}) or {METADATA} (and an ONNX file)")


def _from_metadata(path: Path) -> Origin:
    metadata = read_metadata(path)
    weights = _onnx_file(path, metadata)
    try:
        content = weights.read_bytes()
    except OSError as error:
        raise FileError(
            f"{weights} cannot be read: {error.strerror}; expected the ONNX file of {path.name}"
        ) from error
    return Origin(metadata, path.parent, onnx=content)


def _onnx_file(path: Path, metadata: Metadata) -> Path:
    if metadata.weights is not None:
        return path.parent / metadata.weights
    found = sorted(path.parent.glob("*.onnx"))
    if len(found) != 1:
        raise FileError(
            f"{path.parent} has {len(found)} ONNX files; name the one in {path.name}: `weights: …`"
        )
    return found[0]
