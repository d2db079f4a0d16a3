"""Richardson–Lucy deconvolution, looked at after several numbers of iterations.

Richardson, JOSA 62, 55 (1972); Lucy, Astron. J. 79, 745 (1974). The same as scikit-image's
`richardson_lucy`, which would start again for each number and transform the PSF each time.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

FAINT_LIGHT = 1e-3
"""Of the largest; keeps ratios finite where there is none."""
TINY = 1e-12
START = 0.5


def deconvolved(
    stack: NDArray[np.float32], psf: NDArray[np.float32], iterations: Collection[int]
) -> dict[int, NDArray[np.float32]]:
    """A stack ZYX after each of the numbers of iterations; `psf` has odd sizes and sums to 1.

    The first percentile is taken for the camera's offset with the background. Nothing is added
    around the stack: mirrored light would gather in its first and last planes, as it does with a
    PSF that is shallower than the stack.
    """
    from scipy import fft

    light = np.maximum(stack - np.percentile(stack, 1), 0)
    given = (light / light.max() + FAINT_LIGHT).astype(np.float32)
    shape = [
        fft.next_fast_len(size + more - 1, real=True)
        for size, more in zip(stack.shape, psf.shape, strict=True)
    ]
    inner = tuple(
        slice(more // 2, more // 2 + size)
        for size, more in zip(stack.shape, psf.shape, strict=True)
    )
    blur, back = (fft.rfftn(kernel, shape) for kernel in (psf, np.flip(psf)))

    def convolved(image: NDArray[np.float32], kernel: NDArray[np.complex64]) -> NDArray[np.float32]:
        return np.asarray(fft.irfftn(fft.rfftn(image, shape) * kernel, shape)[inner])

    estimate = np.full(stack.shape, START, dtype=np.float32)
    found = {}
    for count in range(1, max(iterations) + 1):
        ratio = given / (convolved(estimate, blur) + np.float32(TINY))
        estimate = estimate * convolved(ratio, back)
        if count in iterations:
            found[count] = estimate
    return found
