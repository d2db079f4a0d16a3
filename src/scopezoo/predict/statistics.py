"""Statistics of a whole tensor, from a stream of its blocks, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scopezoo.predict.groups import Groups, Region, is_missing
from scopezoo.predict.quantiles import Method, Quantiles

Blocks = Callable[[], Iterator[tuple[Region, NDArray[Any]]]]
"""Starts a pass over a tensor: (region, pixels) of blocks that cover it exactly once."""


@dataclass(frozen=True)
class Measure:
    """One statistic of one tensor of the whole sample.

    `axes` are the ids of the axes that are reduced ("channel", "z", "y", "x"…), None for all;
    "batch" is always reduced. `q` (0 to 1) and `method` belong to "quantile" alone; a method is
    one of numpy.quantile's.
    """

    tensor: str
    kind: Literal["mean", "std", "quantile"]
    axes: tuple[str, ...] | None = None
    q: float = 0.0
    method: Method = "linear"


def compute_statistics(
    measures: Collection[Measure],
    tensor_axes: Sequence[str],
    shape: Sequence[int],
    blocks: Blocks,
) -> dict[Measure, NDArray[np.float64]]:
    """The values of `measures`, all of one tensor with the axes `tensor_axes` and this `shape`.

    `blocks` is called once per pass. Mean, standard deviation (the population's, ddof 0) and
    quantiles of types of 8 and 16 bits take one pass, quantiles of 32 bits two, of 64 bits four;
    all are exact to float64 rounding. A value has the tensor's number of axes, reduced ones of
    size 1. NaN are left out; a group of pixels with nothing else has the value NaN.

    Memory: some tens of MB and the values themselves, see `Quantiles` for the one exception.
    """
    means: dict[Groups, Moments] = {}
    quantiles: dict[Groups, Quantiles] = {}
    for measure in measures:
        groups = Groups.of(tensor_axes, shape, measure.axes)
        if measure.kind == "quantile":
            ranks = quantiles.setdefault(groups, Quantiles(groups))
            ranks.want(measure.q, measure.method)
        else:
            means.setdefault(groups, Moments(groups))
    unfinished: list[Moments | Quantiles] = [*means.values(), *quantiles.values()]
    while unfinished:
        for region, block in blocks():
            for statistic in unfinished:
                statistic.add(region, block)
        unfinished = [statistic for statistic in unfinished if not statistic.end_pass()]
    return {measure: _value(measure, tensor_axes, shape, means, quantiles) for measure in measures}


def _value(
    measure: Measure,
    tensor_axes: Sequence[str],
    shape: Sequence[int],
    means: dict[Groups, Moments],
    quantiles: dict[Groups, Quantiles],
) -> NDArray[np.float64]:
    groups = Groups.of(tensor_axes, shape, measure.axes)
    if measure.kind == "quantile":
        value = quantiles[groups].value(measure.q, measure.method)
    else:
        value = means[groups].mean if measure.kind == "mean" else means[groups].std
    return groups.keepdims(value)


class Moments:
    """Mean and standard deviation of each group, by the pairwise update of Chan, Golub and
    LeVeque, "Algorithms for computing the sample variance" (1983), in float64.
    """

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self._count = np.zeros(groups.kept_shape)
        self._mean = np.zeros(groups.kept_shape)
        self._squares = np.zeros(groups.kept_shape)

    def add(self, region: Region, block: NDArray[Any]) -> None:
        with np.errstate(invalid="ignore"):  # infinite pixels make NaN, which is the answer
            for place, pixels in self._groups.pieces(region, block):
                self._merge(place, *_moments(pixels))

    def _merge(
        self,
        place: Region,
        count: NDArray[np.float64],
        mean: NDArray[np.float64],
        squares: NDArray[np.float64],
    ) -> None:
        old = self._count[place]
        new_count, new_mean, new_squares = (a.reshape(old.shape) for a in (count, mean, squares))
        total = old + new_count
        share = new_count / np.maximum(total, 1)
        step = new_mean - self._mean[place]
        self._squares[place] += new_squares + step * step * old * share
        self._mean[place] += step * share
        self._count[place] = total

    def end_pass(self) -> bool:
        """One pass is all it takes."""
        return True

    @property
    def mean(self) -> NDArray[np.float64]:
        return np.where(self._count > 0, self._mean, np.nan)

    @property
    def std(self) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore"):
            return np.sqrt(self._squares / np.where(self._count > 0, self._count, np.nan))


def _moments(
    pixels: NDArray[Any],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Count, mean and sum of squared deviations per group of (group, pixel)."""
    values = pixels.astype(np.float64)
    missing = is_missing(values)
    count = np.full(len(values), float(values.shape[1]))
    if missing is not None:
        count -= missing.sum(axis=1)
        values[missing] = 0
    mean = values.sum(axis=1) / np.maximum(count, 1)
    values -= mean[:, None]
    if missing is not None:
        values[missing] = 0
    return count, mean, np.einsum("gp,gp->g", values, values)
