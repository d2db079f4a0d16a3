"""Simulated outputs of StarDist networks, and how they are decoded in the tests."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from scopezoo.predict.stardist import Candidates, StardistParameters, find_candidates
from scopezoo.predict.stardist_nms import select_objects
from scopezoo.predict.stardist_render import Objects


def directions(n_rays: int, ndim: int) -> NDArray[np.float64]:
    if ndim == 3:
        from stardist import Rays_GoldenSpiral

        return np.asarray(Rays_GoldenSpiral(n_rays, anisotropy=(1, 1, 1)).vertices, float)
    angles = np.linspace(0, 2 * np.pi, n_rays, endpoint=False)
    return np.stack([np.sin(angles), np.cos(angles)], axis=1)


def blobs(
    shape: Sequence[int], n_objects: int, largest_px: float, n_rays: int, seed: int
) -> NDArray[np.float32]:
    """Output (…, 1 + n_rays) for overlapping discs or balls with noise, some across the border."""
    rng = np.random.default_rng(seed)
    cells = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).astype(float)
    centres = rng.uniform(-2, np.array(shape) + 1, (n_objects, len(shape)))
    radii = rng.uniform(largest_px / 3, largest_px, n_objects)
    away = cells[..., None, :] - centres
    depth = 1 - np.linalg.norm(away, axis=-1) / radii
    mine = depth.argmax(axis=-1)
    offset = np.take_along_axis(away, mine[..., None, None], axis=-2)[..., 0, :]
    along = offset @ directions(n_rays, len(shape)).T
    inside = radii[mine] ** 2 - (offset**2).sum(axis=-1)
    dist = np.sqrt(np.maximum(along**2 + inside[..., None], 0)) - along
    dist = dist * rng.normal(1, 0.08, dist.shape) + rng.normal(0, 0.2, dist.shape)
    prob = np.clip(depth.max(axis=-1), 0, 1) * 0.8 + rng.normal(0, 0.05, shape)
    return np.concatenate([prob[..., None], np.maximum(dist, 0.05)], axis=-1).astype(np.float32)


def parameters_2d(**changes: Any) -> StardistParameters:
    kwargs = {"n_rays": 12, "prob_threshold": 0.3, "nms_threshold": 0.3, "grid": (1, 1), "b": 0}
    return StardistParameters.from_kwargs(kwargs | changes)


def parameters_3d(**changes: Any) -> StardistParameters:
    kwargs = {"n_rays": 16, "prob_threshold": 0.4, "nms_threshold": 0.3, "grid": (1, 1, 1), "b": 1}
    return StardistParameters.from_kwargs(kwargs | {"anisotropy": (1, 1, 1)} | changes)


@st.composite
def cuts(draw: st.DrawFn, shape: Sequence[int], most: int) -> list[tuple[slice, ...]]:
    """Tiles of an image: a rectangular grid with up to `most` random cuts per axis."""
    axes = []
    for size in shape:
        inner = draw(st.sets(st.integers(1, size - 1), max_size=most))
        axes.append([slice(a, b) for a, b in pairwise([0, *sorted(inner), size])])
    return list(product(*axes))


def tile_candidates(
    output: NDArray[Any], tiles: Sequence[tuple[slice, ...]], parameters: StardistParameters
) -> list[Candidates]:
    return [
        find_candidates(output[tile], [s.start for s in tile], output.shape[:-1], parameters)
        for tile in tiles
    ]


def everything(shape: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(0, size) for size in shape)


def decode(
    output: NDArray[Any], tiles: Sequence[tuple[slice, ...]], parameters: StardistParameters
) -> tuple[Objects, NDArray[Any]]:
    """Visible objects and labels, found and drawn tile by tile."""
    shape = np.array(output.shape[:-1]) * parameters.grid
    found = select_objects(tile_candidates(output, tiles, parameters), parameters)
    objects = found.visible(shape)
    labels = np.zeros(shape, objects.dtype)
    for tile in tiles:
        region = [
            slice(s.start * g, s.stop * g) for s, g in zip(tile, parameters.grid, strict=True)
        ]
        labels[tuple(region)] = objects.render(region)
    return objects, labels


def decode_by_core(output: NDArray[Any], parameters: StardistParameters) -> NDArray[Any]:
    """The labels of bioimageio.core's `stardist_postprocessing`."""
    from bioimageio.core import Tensor
    from bioimageio.core._ops_stardist import StardistPostprocessing2D, StardistPostprocessing3D
    from bioimageio.core.sample import Sample
    from bioimageio.spec.model.v0_5 import TensorId

    member = TensorId("output")
    ids: dict[str, Any] = {"prob_dist_input_id": member, "instance_labels_output_id": member}
    for name in ("grid", "prob_threshold", "nms_threshold", "b", "n_rays"):
        ids[name] = getattr(parameters, name)
    operator: Any = StardistPostprocessing2D
    if parameters.ndim == 3:
        ids |= {"anisotropy": parameters.anisotropy, "overlap_label": parameters.overlap_label}
        operator = StardistPostprocessing3D
    dims = ("batch", *"zyx"[-parameters.ndim :], "channel")
    sample = Sample(members={member: Tensor(output[None], dims=dims)}, stat={}, id=None)
    operator(**ids)(sample)
    return np.asarray(sample.members[member].data)[0, ..., 0]
