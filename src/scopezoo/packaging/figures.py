"""What packaging measures and keeps under "packaging" in `measured.json`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Figures(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Parity(_Figures):
    """How far one runtime is from onnxruntime on the test input.

    `raw` is of the network's own output. Of the finished outputs, `max_difference` is of those that
    are no whole numbers, `mismatched_per_million` counts differing elements of those that are.
    """

    runtime: str
    version: str
    raw_max_difference: float
    raw_max_magnitude: float
    max_difference: float
    mismatched_per_million: float


class HaloFigures(_Figures):
    """By axis, in input pixels: `needed_px` and `radius_px` are None where nothing bounds them."""

    needed_px: dict[str, int | None]
    radius_px: dict[str, int | None]
    declared_px: dict[str, int]


class Inference(_Figures):
    """One prediction, pre- and post-processing included: median time, and memory beyond that of the
    loaded program."""

    runtime: str
    version: str
    processor: str
    threads: int
    input_shape: tuple[int, ...]
    time_s: float
    peak_memory_bytes: int


class Tolerance(_Figures):
    """What `reproducibility_tolerance` states."""

    relative: float
    absolute: float
    mismatched_per_million: int


class Figures(_Figures):
    """All of them; `measured_at` is an ISO 8601 time.

    `subject_sha256` is of what was measured: the weights and the metadata of the tensors.
    """

    subject_sha256: str
    measured_at: str
    halo: HaloFigures
    parity: tuple[Parity, ...]
    inference: Inference
    tolerance: Tolerance
