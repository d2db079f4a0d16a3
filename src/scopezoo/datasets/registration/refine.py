"""Mutual information, band by band from coarse to fine; SimpleITK does the optimising."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from scopezoo.datasets.registration.band import BROAD, NARROW, band_passed, band_um, shrunk
from scopezoo.datasets.registration.matrices import Matrix, Points
from scopezoo.datasets.registration.volume import Volume
from scopezoo.errors import MissingDependencyError

Model = Literal["rigid", "similarity", "affine"]
SEED = 1
BINS = 32
SIGMA_VOXELS = 1.5
"""Of the band's finer Gaussian: images are shrunk until it has no more."""
SAMPLES = 200_000
"""Voxels of the target that one step of the optimiser looks at."""


@dataclass(frozen=True)
class Level:
    """A band `factor` times as coarse as the finest, and the optimiser's steps there."""

    factor: float
    iterations: int
    model: Model
    width: float = BROAD


def levels(model: Model) -> tuple[Level, ...]:
    """Shift and turn first: scale and shear have little hold in coarse bands."""
    return (Level(4, 60, "rigid"), Level(2, 60, model), Level(1, 60, model, NARROW))


def refine(source: Volume, target: Volume, start: Matrix, steps: tuple[Level, ...]) -> Matrix:
    """`start` (source to target), improved level by level.

    Raises MissingDependencyError without SimpleITK.
    """
    matrix = start
    for level in steps:
        low, high = band_um(source, target, level.factor, level.width)
        moving, fixed = (
            band_passed(shrunk(volume, low / SIGMA_VOXELS), (low, high))
            for volume in (source, target)
        )
        matrix = _optimised(moving, fixed, matrix, level, low)
    return matrix


def _optimised(
    source: Volume, target: Volume, start: Matrix, level: Level, step_um: float
) -> Matrix:
    sitk = simple_itk()
    flat = target.is_plane
    fixed, moving = _to_itk(target, flat), _to_itk(source, flat)
    transform = _transform(np.linalg.inv(start), target.centre_um, level.model, flat)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(min(1.0, SAMPLES / target.voxels.size), SEED)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=step_um,
        minStep=step_um * 1e-3,
        numberOfIterations=level.iterations,
        relaxationFactor=0.6,
        gradientMagnitudeTolerance=1e-10,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(fixed, moving)
    except RuntimeError:
        # Its only way to say that the images no longer overlap, or hold too few voxels.
        return start
    return np.linalg.inv(_matrix(transform, flat))


def simple_itk() -> Any:
    """The module, or a clear error."""
    try:
        import SimpleITK as sitk  # noqa: N813 # its own short name
    except ImportError as error:
        raise MissingDependencyError("registration", "datasets") from error
    return sitk


def _to_itk(volume: Volume, flat: bool) -> Any:
    image = simple_itk().GetImageFromArray(volume.voxels[0] if flat else volume.voxels)
    first = 1 if flat else 0
    image.SetSpacing([float(v) for v in volume.spacing_um[first:][::-1]])
    image.SetOrigin([float(v) for v in volume.origin_um[first:][::-1]])
    return image


def _transform(to_source: Matrix, centre_um: Points, model: Model, flat: bool) -> Any:
    """ITK's transform of points x, y, z about the target's centre."""
    sitk = simple_itk()
    first = 1 if flat else 0
    linear = to_source[first:3, first:3][::-1, ::-1]
    centre = centre_um[first:][::-1]
    shift = to_source[first:3, 3][::-1] + linear @ centre - centre
    kinds: dict[str, Any] = {
        "rigid": sitk.Euler2DTransform if flat else sitk.VersorRigid3DTransform,
        "similarity": sitk.Similarity2DTransform if flat else sitk.Similarity3DTransform,
        "affine": lambda: sitk.AffineTransform(len(centre)),
    }
    transform = kinds[model]()
    transform.SetCenter([float(v) for v in centre])
    transform.SetMatrix([float(v) for v in linear.ravel()])
    transform.SetTranslation([float(v) for v in shift])
    return transform


def _matrix(transform: Any, flat: bool) -> Matrix:
    size = 2 if flat else 3
    first = 3 - size
    linear = np.array(transform.GetMatrix()).reshape(size, size)
    centre = np.array(transform.GetCenter())
    offset = np.array(transform.GetTranslation()) + centre - linear @ centre
    matrix = np.eye(4)
    matrix[first:3, first:3] = linear[::-1, ::-1]
    matrix[first:3, 3] = offset[::-1]
    return matrix
