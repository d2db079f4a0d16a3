"""An image to try a model on, as its package brings it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import ModelNotFoundError, PackageError
from scopezoo.formats import create_image
from scopezoo.store.package import Package
from scopezoo.store.tensors import FileReference, Tensor

_PICTURES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
MAX_SAMPLE_BYTES = 256 * 1024**2


def sample_reference(package: Package) -> FileReference | None:
    """The file with an image to try: the sample of the first input, else its test tensor."""
    tensor = package.description.inputs[0]
    sample = tensor.sample_tensor
    if sample is not None and sample.source.lower().endswith((*_PICTURES, ".npy")):
        return sample
    test = tensor.test_tensor
    return test if test is not None and test.source.lower().endswith(".npy") else None


def sample_image(package: Package, folder: Path) -> Path:
    """The image to try as a file in `folder`, made once.

    Raises ModelNotFoundError where the package has none, PackageError where it is damaged.
    """
    reference = sample_reference(package)
    if reference is None:
        raise ModelNotFoundError(f"{package.id} brings no image to try")
    if package.files.size(reference.source) > MAX_SAMPLE_BYTES:
        raise PackageError(f"{package.location}: {reference.source} is too large for a sample")
    path = folder / package.rdf_sha256 / sample_name(package, reference)
    if path.exists():
        return path
    path.parent.mkdir(exist_ok=True)
    content = package.read(reference)
    unfinished = path.with_name(f"unfinished-{path.name}")
    if Path(reference.source).suffix.lower() in _PICTURES:
        unfinished.write_bytes(content)
    else:
        _write_tensor(package, content, unfinished)
    unfinished.replace(path)
    return path


def sample_name(package: Package, reference: FileReference) -> str:
    """What the image to try is called; arrays are made into TIFF."""
    ending = Path(reference.source).suffix.lower()
    stem = f"{package.id.rpartition('/')[2]}-sample"
    return f"{stem}{ending if ending in _PICTURES else '.tif'}"


def _write_tensor(package: Package, content: bytes, path: Path) -> None:
    """The first sample of a tensor as an image file, without its batch axis."""
    tensor = package.description.inputs[0]
    try:
        pixels = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise PackageError(f"{package.location}: its sample is damaged ({error})") from error
    if pixels.ndim != len(tensor.axes):
        raise PackageError(f"{package.location}: its sample does not have the axes of its input")
    letters, pixels = _letters(tensor, pixels)
    writer = create_image(path, shape=pixels.shape, dtype=pixels.dtype, axes=letters)
    writer[tuple(slice(0, size) for size in pixels.shape)] = pixels
    writer.close()


def _letters(tensor: Tensor, pixels: NDArray[Any]) -> tuple[str, NDArray[Any]]:
    """Axis letters and pixels of the first of a batch; a single channel has no axis."""
    letters = ""
    index: list[int | slice] = []
    for axis, size in zip(tensor.axes, pixels.shape, strict=True):
        is_left_out = axis.type in ("batch", "index") or (axis.type == "channel" and size == 1)
        index.append(0 if is_left_out else slice(None))
        letters += "" if is_left_out else {"channel": "C", "time": "T"}.get(axis.type, axis.id)
    return letters.upper(), pixels[tuple(index)]
