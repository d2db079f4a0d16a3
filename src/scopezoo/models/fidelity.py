"""How near an image is to the one that was wanted, and down to which detail.

All take float arrays of one shape, ZYX, and where it matters the range of the data.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SSIM_WINDOW_PX = 7
FRC_THRESHOLD = 1 / 7
"""Rosenthal and Henderson, J. Mol. Biol. 333, 721 (2003)."""
RANGE_PERCENTILES = (0.1, 99.9)
"""Of the target: its data range."""
MICRO_SSIM_PLANES = 4
"""Every so many-th plane is enough, for it is slow."""


@dataclass(frozen=True)
class Fidelity:
    """What the table of a card has for one method on one image."""

    psnr_db: float
    ssim: float
    micro_ssim: float | None
    nrmse: float
    pearson_r: float
    agreement_um: float | None
    """Finest detail, as a period, down to which it agrees with the target (`agreement_um`)."""

    def as_dict(self) -> dict[str, float | None]:
        return asdict(self)


def fidelity(
    image: NDArray[Any], wanted: NDArray[Any], seen: NDArray[np.bool_], pixel_um: float
) -> Fidelity:
    """All figures of one stack ZYX, over the voxels that are `seen`.

    The image is first given the scale and offset that fit `wanted` best.
    """
    matched = np.zeros(image.shape)
    matched[seen] = scaled_to(image[seen], wanted[seen])
    matched[~seen] = wanted[~seen]
    low, high = np.percentile(wanted[seen], RANGE_PERCENTILES)
    data_range = float(high - low)
    some = slice(min(MICRO_SSIM_PLANES, len(image) - 1) // 2, None, MICRO_SSIM_PLANES)
    square = middle_square(image.shape)
    return Fidelity(
        psnr_db=psnr_db(matched[seen], wanted[seen], data_range),
        ssim=ssim(matched, wanted, data_range, seen),
        micro_ssim=micro_ssim(matched[some], wanted[some]),
        nrmse=nrmse(matched[seen], wanted[seen], data_range),
        pearson_r=pearson_r(image[seen], wanted[seen]),
        agreement_um=agreement_um(matched[square], wanted[square], pixel_um),
    )


def middle_square(shape: tuple[int, ...]) -> tuple[slice, slice, slice]:
    """The largest square in the middle of the planes of a stack ZYX."""
    side = min(shape[1:])
    y, x = (slice((size - side) // 2, (size - side) // 2 + side) for size in shape[1:])
    return slice(None), y, x


def scaled_to(image: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.float64]:
    """a · image + b with the least squared difference to `wanted`.

    As in the CARE paper (Weigert et al., Nat. Methods 15, 1090, 2018): microscopes have no common
    grey level.
    """
    x, y = image.astype(np.float64), wanted.astype(np.float64)
    centred = x - x.mean()
    variance = float((centred**2).mean())
    slope = float((centred * (y - y.mean())).mean()) / variance if variance > 0 else 0.0
    return np.asarray(slope * centred + y.mean())


def psnr_db(image: NDArray[Any], wanted: NDArray[Any], data_range: float) -> float:
    """Peak signal-to-noise ratio, by scikit-image."""
    from skimage import metrics

    measure: Any = metrics.peak_signal_noise_ratio  # untyped
    return float(
        measure(wanted.astype(np.float64), image.astype(np.float64), data_range=data_range)
    )


def ssim(
    image: NDArray[Any], wanted: NDArray[Any], data_range: float, seen: NDArray[np.bool_]
) -> float:
    """Mean structural similarity of planes over `seen`, by scikit-image (windows of 7×7)."""
    from scipy.ndimage import binary_erosion
    from skimage import metrics

    measure: Any = metrics.structural_similarity  # untyped
    reach = np.ones((SSIM_WINDOW_PX, SSIM_WINDOW_PX), dtype=bool)
    total, count = 0.0, 0
    for found, true, inside in zip(image, wanted, seen, strict=True):
        whole = binary_erosion(inside, reach)
        if whole.any():
            _, field = measure(
                true, found, data_range=data_range, full=True, win_size=SSIM_WINDOW_PX
            )
            total += float(field[whole].sum())
            count += int(whole.sum())
    return total / count if count else float("nan")


def pearson_r(image: NDArray[Any], wanted: NDArray[Any]) -> float:
    """Pearson's correlation; 0 where one of them is constant."""
    x, y = image.astype(np.float64).ravel(), wanted.astype(np.float64).ravel()
    if x.std() == 0 or y.std() == 0:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])


def nrmse(image: NDArray[Any], wanted: NDArray[Any], data_range: float) -> float:
    """Root of the mean squared error over the data range."""
    difference = image.astype(np.float64) - wanted.astype(np.float64)
    return float(np.sqrt((difference**2).mean()) / data_range)


def micro_ssim(image: NDArray[Any], wanted: NDArray[Any]) -> float | None:
    """MicroSSIM of planes (Ashesh et al., arXiv:2408.08747), None without the package microssim."""
    from importlib.util import find_spec

    if find_spec("microssim") is None:
        return None
    from microssim import MicroSSIM

    measure = MicroSSIM()
    measure.fit(wanted, image)
    planes = [measure.score(true, found) for true, found in zip(wanted, image, strict=True)]
    return float(np.mean(planes))


def ring_correlation(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
    """Fourier ring correlation of two square planes, for 1, 2, … periods in the side.

    Σ F₁F₂* / √(Σ|F₁|² Σ|F₂|²) over rings (Saxton and Baumeister, J. Microsc. 127, 127, 1982), up to
    Nyquist's frequency, of planes whose edges are faded out (Hann).
    """
    size = first.shape[-1]
    if first.shape != (size, size) or second.shape != first.shape:
        raise ValueError(f"expected two square planes of one size, got {first.shape}")
    window = np.outer(np.hanning(size), np.hanning(size))
    spectra = [np.fft.fft2((plane - plane.mean()) * window) for plane in (first, second)]
    frequency = np.fft.fftfreq(size, 1 / size)
    ring = np.rint(np.hypot(frequency[:, None], frequency)).astype(int).ravel()

    def summed(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.bincount(ring, values.ravel())[1 : size // 2 + 1].astype(np.float64)

    shared = summed((spectra[0] * spectra[1].conj()).real)
    power = summed(np.abs(spectra[0]) ** 2) * summed(np.abs(spectra[1]) ** 2)
    return np.asarray(shared / np.sqrt(np.maximum(power, np.finfo(float).tiny)))


def agreement_um(
    image: NDArray[Any], wanted: NDArray[Any], pixel_um: float, threshold: float = FRC_THRESHOLD
) -> float | None:
    """The period at which the ring correlation of two stacks' square planes first falls to 1/7.

    Correlations are averaged over planes, and over three rings. None where it is below from the
    start. Where it never falls, the answer is two pixels, which is all that the grid can show.
    """
    size = image.shape[-1]
    curve = np.mean([ring_correlation(*pair) for pair in zip(image, wanted, strict=True)], axis=0)
    smooth = np.convolve(np.pad(curve, 1, mode="edge"), np.ones(3) / 3, mode="valid")
    below = np.flatnonzero(smooth < threshold)
    if not below.size:
        return 2 * pixel_um
    if below[0] == 0:
        return None
    last = int(below[0]) - 1
    part = (smooth[last] - threshold) / (smooth[last] - smooth[last + 1])
    return float(size * pixel_um / (last + 1 + part))
