"""Kernels of convolutions, put together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def transposed_kernel(weight: NDArray[np.float32], factors: Sequence[int]) -> NDArray[np.float32]:
    """The transposed convolution that repeats each pixel `factors` times and then convolves.

    `weight` is that of a Conv, (out, in, space…), and the result that of a ConvTranspose,
    (in, out, space…), with k + f - 1 taps along an axis of k taps and factor f. In out[o] = sum
    over t of w[t] * x[floor((o + t - p) / f)], pixel i of x comes up at o = f*i + e - t + p for e
    from 0 to f - 1. A ConvTranspose with padding k - 1 - p holds that at tap e + (k - 1 - t): the
    mirrored kernel, widened by a box of f.
    """
    spread = np.swapaxes(weight, 0, 1).astype(np.float64)
    for axis, factor in enumerate(factors, start=2):
        mirrored = np.flip(spread, axis)
        wide = [(0, 0)] * spread.ndim
        wide[axis] = (0, factor - 1)
        mirrored = np.pad(mirrored, wide)
        spread = sum((np.roll(mirrored, e, axis) for e in range(factor)), np.zeros(()))
    return spread.astype(np.float32)
