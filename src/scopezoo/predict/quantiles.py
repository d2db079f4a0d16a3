"""Exact quantiles of a stream, by radix selection: histograms of a few leading bits at a time."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scopezoo.predict.groups import Groups, Region, is_missing

Method = Literal["linear", "inverted_cdf"]
"""How a quantile between two pixels is chosen, in the words of numpy.quantile."""

HISTOGRAM_BYTES = 64 << 20
"""Bound of the histograms that one `Quantiles` holds."""

Ints = NDArray[np.int64]
Keys = NDArray[Any]


@dataclass
class _Rank:
    """The pixel of a given rank in each group; arrays of the groups' `kept_shape`.

    `prefix` are the leading bits found so far of its key, `left` is its rank among the pixels
    with that prefix.
    """

    prefix: Keys
    left: Ints


class Quantiles:
    """Quantiles of each group of pixels, exact whatever their type. NaN are left out.

    A pixel's key is an unsigned integer of its size that sorts as it does. Each pass counts the
    next bits of the keys that begin as a wanted one does: 16 bits a pass, or 8 where many groups
    would make the histograms larger than `HISTOGRAM_BYTES`. Where those are too large as well (a
    quantile for each of ten thousand places), the whole tensor is kept in memory.
    """

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self._wanted: set[tuple[float, Method]] = set()
        self._dtype: np.dtype[Any] | None = None
        self._whole: NDArray[np.float64] | None = None
        self._missing: Ints = np.zeros(groups.kept_shape, np.int64)
        self._ranks: dict[tuple[float, Method, bool], _Rank] = {}

    def want(self, q: float, method: Method) -> None:
        """Ask for one more quantile; before the first block."""
        self._wanted.add((q, method))

    def add(self, region: Region, block: NDArray[Any]) -> None:
        block = block.astype(block.dtype.newbyteorder("="), copy=False)
        if self._dtype is None:
            self._start(block.dtype)
        if self._whole is not None:
            self._whole[region] = block
            return
        for place, pixels in self._groups.pieces(region, block):
            self._count(place, pixels)

    def _start(self, dtype: np.dtype[Any]) -> None:
        self._dtype = np.dtype(np.uint8) if dtype.kind == "b" else dtype
        self._bits_left = 8 * dtype.itemsize
        self._starts: Keys = np.zeros((*self._groups.kept_shape, 1), _key_type(dtype))
        if self._histogram_bytes(2 * len(self._wanted), 8) > HISTOGRAM_BYTES:
            self._whole = np.empty(self._groups.shape)
        else:
            self._new_histogram()

    def _histogram_bytes(self, starts: int, bits: int) -> int:
        return 8 * prod(self._groups.kept_shape) * starts << bits

    def _new_histogram(self) -> None:
        """Make ready to count the next bits behind each of the prefixes `_starts`."""
        starts = self._starts.shape[-1]
        fits = self._histogram_bytes(starts, 16) <= HISTOGRAM_BYTES
        self._bits = 16 if fits and self._bits_left >= 16 else 8
        self._bits_left -= self._bits
        self._histogram = np.zeros((*self._starts.shape, 1 << self._bits), np.int64)

    def _count(self, place: Region, pixels: NDArray[Any]) -> None:
        missing = is_missing(pixels)
        keys = _keys(pixels, missing)
        if not self._ranks:
            if missing is not None:
                count = missing.sum(axis=1)
                self._missing[place] += count.reshape(self._missing[place].shape)
            bins = (keys >> self._bits_left).astype(np.intp)
            if len(bins) > 1:
                bins += np.arange(len(bins))[:, None] << self._bits
            self._add_counts(place, 0, bins.ravel(), len(keys))
            return
        leading = keys >> (self._bits_left + self._bits)
        for i in range(self._starts.shape[-1]):
            matching = leading == self._starts[place][..., i].reshape(-1, 1)
            bins = (keys[matching] >> self._bits_left).astype(np.intp) & ((1 << self._bits) - 1)
            if len(keys) > 1:
                bins += matching.nonzero()[0] << self._bits
            self._add_counts(place, i, bins, len(keys))

    def _add_counts(self, place: Region, start: int, bins: NDArray[np.intp], groups: int) -> None:
        counts = self._histogram[place][..., start, :]
        counts += np.bincount(bins, minlength=groups << self._bits).reshape(counts.shape)

    def end_pass(self) -> bool:
        """Whether all is known, so that no further pass is needed."""
        if self._dtype is None or self._whole is not None:
            return True
        if not self._ranks:
            self._start_ranks()
        np.cumsum(self._histogram, axis=-1, out=self._histogram)
        for rank in self._ranks.values():
            self._narrow(rank)
        if self._bits_left == 0:
            return True
        prefixes = np.stack([rank.prefix for rank in self._ranks.values()], axis=-1)
        distinct = np.unique(prefixes.reshape(-1, prefixes.shape[-1]), axis=1)
        self._starts = distinct.reshape(*self._groups.kept_shape, -1)
        self._new_histogram()
        return False

    def _start_ranks(self) -> None:
        for q, method in self._wanted:
            position = self._position(q, method)
            for upper, index in ((False, np.floor(position)), (True, np.ceil(position))):
                prefix = self._starts[..., 0].copy()
                self._ranks[q, method, upper] = _Rank(prefix, index.astype(np.int64))

    def _position(self, q: float, method: Method) -> NDArray[np.float64]:
        """Fractional rank of a quantile in each group, as numpy.quantile defines it."""
        count = self._groups.size - self._missing
        position = (count - 1) * q if method == "linear" else np.ceil(count * q - 1)
        return np.asarray(np.maximum(position, 0.0))

    def _narrow(self, rank: _Rank) -> None:
        """Find the next bits of a rank's key from the cumulated histogram behind its prefix."""
        groups = np.arange(rank.left.size)
        starts = self._starts.reshape(groups.size, -1)
        slot = np.argmax(starts == rank.prefix.reshape(-1, 1), axis=1)
        up_to = self._histogram.reshape(*starts.shape, -1)[groups, slot]
        left = rank.left.reshape(-1)
        digit = (up_to <= left[:, None]).sum(axis=1)
        digit = np.minimum(digit, up_to.shape[1] - 1)  # a group without pixels
        before = np.where(digit > 0, up_to[groups, digit - 1], 0)
        rank.left = (left - before).reshape(rank.left.shape)
        digits = digit.astype(rank.prefix.dtype).reshape(rank.prefix.shape)
        rank.prefix = (rank.prefix << self._bits) | digits

    def value(self, q: float, method: Method) -> NDArray[np.float64]:
        """The quantile of each group, of the groups' `kept_shape`; after the last pass."""
        if self._whole is not None:
            return self._value_of_whole(self._whole, q, method)
        if self._dtype is None:
            return np.full(self._groups.kept_shape, np.nan)
        low, high = (
            _values(self._ranks[q, method, upper].prefix, self._dtype) for upper in (False, True)
        )
        share = self._position(q, method) % 1
        with np.errstate(invalid="ignore"):  # between infinities; where() takes the other branch
            between = low + (high - low) * share
        value = np.where((share == 0) | (low == high), low, between)
        filled = self._groups.size > self._missing
        return np.where(filled, value, np.nan)

    def _value_of_whole(
        self, whole: NDArray[np.float64], q: float, method: Method
    ) -> NDArray[np.float64]:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
            value = np.nanquantile(whole, q, axis=self._groups.reduced, method=method)
        return np.asarray(value, np.float64)


def _key_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(f"u{dtype.itemsize}")


def _sign_bit(dtype: np.dtype[Any]) -> int:
    return 1 << (8 * dtype.itemsize - 1)


def _keys(pixels: NDArray[Any], missing: NDArray[np.bool_] | None) -> Keys:
    """Unsigned integers that sort as the pixels do, the missing ones last.

    The bits of a float (IEEE 754) sort as its magnitude: positive ones get their sign bit set,
    negative ones are inverted.
    """
    keys: Keys = pixels.view(_key_type(pixels.dtype))
    if pixels.dtype.kind == "i":
        return keys ^ _sign_bit(pixels.dtype)
    if pixels.dtype.kind != "f":
        return keys
    negative = keys.view(f"i{keys.itemsize}") >> (8 * keys.itemsize - 1)
    keys = keys ^ (negative.view(keys.dtype) | _sign_bit(pixels.dtype))
    if missing is not None:
        keys[missing] = np.iinfo(keys.dtype).max
    return keys


def _values(keys: Keys, dtype: np.dtype[Any]) -> NDArray[np.float64]:
    """The pixels of type `dtype` that have these keys."""
    bits = keys
    if dtype.kind == "i":
        bits = keys ^ _sign_bit(dtype)
    elif dtype.kind == "f":
        positive = (keys & _sign_bit(dtype)) != 0
        bits = np.where(positive, keys ^ _sign_bit(dtype), ~keys)
    return bits.view(dtype).astype(np.float64)
