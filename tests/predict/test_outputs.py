"""Outputs that wait for their whole: kept on disk, by plain reads and writes."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from scopezoo.errors import FileError
from scopezoo.predict.outputs import Sink, Statistics, WholeOutput
from scopezoo.predict.sources import Region, Source

PIXELS = np.random.default_rng(0).normal(size=(1, 2, 30, 40)).astype(np.float32)


class Array:
    """A sink that keeps what is written."""

    def __init__(self) -> None:
        self.found: NDArray[Any] | None = None

    def write(self, region: Region, block: NDArray[Any], whole_shape: Sequence[int]) -> None:
        if self.found is None:
            self.found = np.full(whole_shape, np.nan, block.dtype)
        self.found[region] = block


def twice(source: Source, _: Statistics, sink: Sink) -> None:
    whole = tuple(slice(0, size) for size in source.shape)
    sink.write(whole, 2 * source.read(whole), source.shape)


def add(stage: WholeOutput, rows: slice) -> None:
    region = (slice(0, 1), slice(0, 2), rows, slice(0, 40))
    stage.add(0, region, PIXELS[region], PIXELS.shape, {})


@pytest.mark.parametrize("stopped_after", [1, 2])
def test_tiles_of_a_stopped_run_are_kept(tmp_path: Path, stopped_after: int) -> None:
    tiles = [slice(0, 13), slice(13, 30)]
    first = WholeOutput(twice, Array(), tmp_path / "raw.npy", resumed=False)
    for rows in tiles[:stopped_after]:
        add(first, rows)
    sink = Array()
    second = WholeOutput(twice, sink, tmp_path / "raw.npy", resumed=True)
    for rows in tiles[stopped_after:]:
        add(second, rows)
    second.finish({})
    assert sink.found is not None
    np.testing.assert_array_equal(sink.found, 2 * PIXELS)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="disk space cannot be reserved here")
def test_a_full_disk_is_an_error_not_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(FileError, match="the disk is full"):
        add(WholeOutput(twice, Array(), tmp_path / "raw.npy", resumed=False), slice(0, 13))
    assert not list(tmp_path.iterdir())
