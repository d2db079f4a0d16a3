"""The tensors of a description: metadata and what the network says, in the form of format 0.5."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from scopezoo.packaging.interface import SPACE, Follows, Interface, Port, smallest
from scopezoo.packaging.metadata import (
    AXIS_IDS,
    InputMetadata,
    Metadata,
    OutputMetadata,
    SizeRange,
    Step,
)

Entry = dict[str, Any]
DECODING = "stardist_postprocessing"
MAX_HALO_STEPS = 100
"""Nine were the most that a pixel size of microscopes needed."""


def input_entries(metadata: Metadata, interface: Interface) -> list[Entry]:
    """The `inputs` of the description, without test tensors."""
    ids = tensor_ids(metadata, interface)
    return [
        {
            "id": ids[number],
            **({"description": entry.description} if entry.description else {}),
            "axes": _input_axes(number, entry, port, interface, ids[0]),
            "data": {"type": port.dtype},
            "preprocessing": [_step(step) for step in entry.preprocessing],
        }
        for number, (entry, port) in enumerate(zip(metadata.inputs, interface.inputs, strict=True))
    ]


def output_entries(
    metadata: Metadata, interface: Interface, halo: Mapping[str, int]
) -> list[Entry]:
    """The `outputs` of the description; `halo` is in input pixels by axis letter."""
    ids = tensor_ids(metadata, interface)
    found = []
    for number, (entry, port) in enumerate(zip(metadata.outputs, interface.outputs, strict=True)):
        found.append(
            {
                "id": ids[len(metadata.inputs) + number],
                **({"description": entry.description} if entry.description else {}),
                "axes": _output_axes(number, entry, metadata.inputs[0], interface, ids[0], halo),
                "data": {"type": entry.type or port.dtype},
                "postprocessing": [_step(step) for step in entry.postprocessing],
            }
        )
    return found


def tensor_ids(metadata: Metadata, interface: Interface) -> list[str]:
    """Ids of inputs, then outputs: as the author says, else from the names in the ONNX file."""
    ids: list[str] = []
    described = (*metadata.inputs, *metadata.outputs)
    ports = (*interface.inputs, *interface.outputs)
    for number, (entry, port) in enumerate(zip(described, ports, strict=True)):
        kind = "input" if number < len(metadata.inputs) else "output"
        plain = re.sub(r"[^a-z0-9_]+", "_", port.name.lower()).strip("_")
        usable = re.fullmatch(r"[a-z][a-z0-9_]{0,31}", plain) and plain not in ids
        ids.append(entry.id or (plain if usable else f"{kind}{number}"))
    return ids


def with_halo(
    interface: Interface, halo: Mapping[str, int], pixel_size_um: Mapping[Any, float]
) -> tuple[Interface, dict[str, int]]:
    """Sizes that a halo fits in, and the halo that fits in sizes that are fixed.

    The format wants the smallest size to be more than two halos. bioimageio.spec 0.5 computes the
    input's halo with the pixel sizes in floating point, and wants a whole number: the next larger
    halo that gives one is taken.
    """
    sizes = dict(interface.sizes)
    fitting = {}
    for letter, wanted in halo.items():
        size, stride = sizes[letter], interface.strides.get(letter, 1)
        size_um = pixel_size_um.get(letter, 1)
        margin = _whole(wanted, stride, size_um)
        lacking = 2 * margin + 1 - smallest(size)
        if lacking > 0 and isinstance(size, SizeRange):
            more = -(-lacking // size.step) * size.step
            sizes[letter] = SizeRange(min=size.min + more, step=size.step)
        elif lacking > 0:
            margin = _whole((smallest(size) - 1) // 2 // stride * stride, -stride, size_um)
        fitting[letter] = margin
    return replace(interface, sizes=sizes), fitting


def _whole(halo: int, step: int, pixel_size_um: float) -> int:
    """The first of halo, halo + step, … that the format's arithmetic leaves whole; for a size with
    which none is, the halo itself, for the format's own error."""
    tried = range(halo, max(halo + MAX_HALO_STEPS * step, -1), step)
    return next((px for px in tried if (px * pixel_size_um / pixel_size_um).is_integer()), halo)


def _input_axes(
    number: int, entry: InputMetadata, port: Port, interface: Interface, first_id: str
) -> list[Entry]:
    shape = port.shape or (None,) * len(entry.axes)
    axes = []
    for letter, fixed in zip(entry.axes, shape, strict=True):
        if letter == "b":
            axes.append({"type": "batch", **({"size": 1} if fixed else {})})
        elif letter == "c":
            axes.append(_channels(entry.channel_names, fixed or 1, "intensity"))
        else:
            size: Any = fixed
            if fixed is None and number == 0:
                size = interface.sizes[letter]
                size = size.model_dump() if isinstance(size, SizeRange) else size
            elif fixed is None:
                size = {"tensor_id": first_id, "axis_id": AXIS_IDS[letter]}
            axes.append({**_axis(letter), "size": size, **_pixel_size(letter, entry, 1)})
    return axes


def _output_axes(
    number: int,
    entry: OutputMetadata,
    first: InputMetadata,
    interface: Interface,
    first_id: str,
    halo: Mapping[str, int],
) -> list[Entry]:
    axes: list[Entry] = []
    for position, letter in enumerate(entry.axes):
        if letter == "b":
            axes.append({"type": "batch"})
        elif letter == "c":
            count = 1 if _decodes(entry) else interface.channels[number]
            axes.append(_channels(entry.channel_names, count, entry.id or "value"))
        elif letter in interface.follows[number]:
            follows = _after_decoding(interface.follows[number][letter], letter, entry)
            reference = {"tensor_id": first_id, "axis_id": AXIS_IDS[letter]}
            offset = {"offset": follows.offset} if follows.offset else {}
            margin = -(-halo.get(letter, 0) * follows.scale.numerator // follows.scale.denominator)
            axes.append(
                {
                    **_axis(letter),
                    "size": {**reference, **offset},
                    **_pixel_size(letter, first, float(1 / follows.scale)),
                    **({"halo": int(margin)} if margin else {}),
                }
            )
        else:
            axes.append({**_axis(letter), "size": interface.outputs[number].shape[position]})
    return axes


def _after_decoding(follows: Follows, letter: str, entry: OutputMetadata) -> Follows:
    """The network gives a cell of a grid, its decoding the cell's pixels."""
    for step in entry.postprocessing:
        if step.id == DECODING:
            space = [axis for axis in entry.axes if axis in SPACE]
            cell_px = step.kwargs["grid"][space.index(letter)]
            return replace(follows, scale=follows.scale * cell_px)
    return follows


def _decodes(entry: OutputMetadata) -> bool:
    return any(step.id == DECODING for step in entry.postprocessing)


def _axis(letter: str) -> Entry:
    kind = {"t": "time", "i": "index"}.get(letter, "space")
    return {"type": kind, "id": AXIS_IDS[letter]}


def _channels(names: tuple[str, ...], count: int, single: str) -> Entry:
    default = [single] if count == 1 else [f"{single}{i}" for i in range(count)]
    return {"type": "channel", "channel_names": list(names) or default}


def _pixel_size(letter: str, entry: InputMetadata, coarser: float) -> Entry:
    size_um = entry.pixel_size_um.get(letter)  # type: ignore[call-overload] # letters are checked
    if size_um is not None:
        return {"unit": "micrometer", "scale": size_um * coarser}
    return {"scale": coarser} if coarser != 1 else {}


def _step(step: Step) -> Entry:
    return {"id": step.id, **({"kwargs": dict(step.kwargs)} if step.kwargs else {})}
