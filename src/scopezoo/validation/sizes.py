"""Level 5: any image size and pixel type goes in, and comes out whole."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scopezoo.errors import ScopezooError
from scopezoo.predict.engine import Engine
from scopezoo.predict.geometry import legal_sizes, output_size
from scopezoo.validation.report import Check
from scopezoo.validation.runs import Arrays, engine, image_of_sizes, test_inputs
from scopezoo.validation.subject import Subject

LEVEL = "sizes"


def checks(subject: Subject) -> Iterator[Check]:
    """Run odd sizes, then integer pixels and an empty image."""
    network = engine(subject)
    for name, sizes in _sizes(network).items():
        image = image_of_sizes(subject.package, sizes)
        yield _check(network, name, image, "×".join(str(size) for size in sizes.values()))
    for dtype in ("uint8", "uint16"):
        yield _check(network, f"{dtype} pixels", _as_integers(subject, dtype), dtype)
    empty = {name: np.zeros_like(array) for name, array in test_inputs(subject.package).items()}
    yield _check(network, "an empty image", empty, "all zero")


def _sizes(network: Engine) -> dict[str, dict[str, int]]:
    axes = {axis.id: legal_sizes(axis) for axis in network.geometry.axes}
    small = {name: max(1, minimum // 2) | 1 for name, (minimum, _) in axes.items()}
    odd = {name: minimum + max(step, 8) + 3 | 1 for name, (minimum, step) in axes.items()}
    mixed = {name: (odd if i % 2 else small)[name] for i, name in enumerate(axes)}
    return {"smaller than the network takes": small, "odd": odd, "small one way": mixed}


def _as_integers(subject: Subject, dtype: str) -> Arrays:
    top = np.iinfo(dtype).max
    scaled: Arrays = {}
    for name, array in test_inputs(subject.package).items():
        low, high = float(array.min()), float(array.max())
        scaled[name] = ((array - low) / ((high - low) or 1.0) * top).astype(dtype)
    return scaled


def _check(network: Engine, name: str, image: Arrays, what: str) -> Check:
    hint = "the network must take any size that its description allows; scopezoo mirrors up to it"
    try:
        outputs = network.predict_sample(image)
    except ScopezooError as error:
        return Check(LEVEL, name, "failed", f"{what}: {error}", {}, hint)
    problem = _problem(network, image, outputs)
    if problem:
        return Check(LEVEL, name, "failed", f"{what}: {problem}", {}, hint)
    shapes = ", ".join(f"{tensor} {array.shape}" for tensor, array in outputs.items())
    return Check(LEVEL, name, "passed", f"{what} gives {shapes}")


def _problem(network: Engine, image: Arrays, outputs: Arrays) -> str | None:
    first = network.description.inputs[0]
    for tensor, follows in network.geometry.finished.items():
        array = outputs[tensor]
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            return f"{tensor} has values that are not finite (NaN or infinite)"
        for axis, found in zip(follows, array.shape, strict=True):
            if axis is None:
                continue
            wanted = output_size(axis, image[first.id].shape[first.axis_ids.index(axis.axis)])
            if found != wanted:
                return f"{tensor} has {found} pixels along {axis.axis}; expected {wanted}"
    return None
