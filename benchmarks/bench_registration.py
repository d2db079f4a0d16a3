"""Registers simulated pairs with known transforms, and compares what it judges with the truth.

Wide-field 0.16×0.16×0.3 µm to confocal 0.1×0.1×0.2 µm, both 32×512×512, shifted by up to 10 µm,
turned by up to 3°, scaled by up to 1 %, every specimen of the ready-made configuration in turn. The
error is the displacement between the found and the true transform over the overlap's voxel grid, in
pixels (lateral, root mean square) and planes of the finer image.

    python benchmarks/bench_registration.py [PAIRS]
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace

import numpy as np

from scopezoo.datasets.registration import Registration, register
from scopezoo.datasets.registration.judge import overlap_um
from scopezoo.datasets.registration.matrices import applied
from scopezoo.datasets.registration.volume import read_volume
from scopezoo.datasets.simulation import PairConfig, SimulatedPair, read_config, simulate_pair

PAIRS = 20
SHAPE = (32, 512, 512)
SHIFT_UM = (1.0, 7.0, 7.0)
FINER_UM = np.array([0.2, 0.1, 0.1])


@dataclass(frozen=True)
class Result:
    """One pair; errors in px (lateral) and planes (axial)."""

    passed: bool
    lateral_px: float
    axial_planes: float
    true_median_px: float
    judged_median_px: float
    wall_s: float
    cpu_s: float


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS
    config = configuration()
    print(
        "| pair | specimen | passed | lateral px | axial planes | median px true | judged "
        "| wall s | CPU s |\n|---|---|---|---|---|---|---|---|---|"
    )
    results = []
    for seed in range(count):
        specimen = config.specimens[seed % len(config.specimens)].name
        pair = simulate_pair(config, seed, specimen)
        result, reasons = measured(pair)
        results.append(result)
        print(
            f"| {seed} | {specimen} | {'yes' if result.passed else reasons} "
            f"| {result.lateral_px:.3f} | {result.axial_planes:.3f} | {result.true_median_px:.3f} "
            f"| {result.judged_median_px:.3f} | {result.wall_s:.0f} | {result.cpu_s:.0f} |",
            flush=True,
        )
    summarise(results)


def configuration() -> PairConfig:
    """The ready-made pair of microscopes at the size and misregistration of the figures."""
    config = read_config("widefield-confocal")
    assert config.target is not None
    return config.model_copy(
        update={
            "source": replace(config.source, shape=SHAPE),
            "target": replace(config.target, shape=SHAPE),
            "misregistration": config.misregistration.model_copy(update={"shift_um": SHIFT_UM}),
        }
    )


def measured(pair: SimulatedPair) -> tuple[Result, str]:
    assert pair.target is not None
    wall, cpu = time.perf_counter(), time.process_time()
    found = register(pair.source, pair.target, model="similarity")
    wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    lateral, axial = errors(pair, found)
    quality = found.quality
    judged = np.nan if quality.residual_median_px is None else quality.residual_median_px
    result = Result(
        quality.passed,
        float(np.sqrt((lateral**2).mean())),
        float(np.sqrt((axial**2).mean())),
        float(np.median(lateral)),
        judged,
        wall_s,
        cpu_s,
    )
    return result, "; ".join(quality.reasons)


def errors(pair: SimulatedPair, found: Registration) -> tuple[np.ndarray, np.ndarray]:
    """Lateral (px) and axial (planes) displacement at places of the true overlap."""
    assert pair.target is not None
    volumes = read_volume(pair.source, None), read_volume(pair.target, None)
    places = overlap_um(*volumes, pair.source_to_target)
    in_source = applied(np.linalg.inv(pair.source_to_target), places)
    z, y, x = ((applied(found.matrix, in_source) - places) / FINER_UM).T
    return np.hypot(y, x), np.abs(z)


def summarise(results: list[Result]) -> None:
    good = [result for result in results if result.passed]
    silent = [r for r in good if r.lateral_px > 1 or r.axial_planes > 1]
    print(f"\n{len(good)} of {len(results)} passed; {len(silent)} of them are wrong by over 1 px")
    if not good:
        return
    lateral = [result.lateral_px for result in good]
    axial = [result.axial_planes for result in good]
    apart = [abs(result.true_median_px - result.judged_median_px) for result in good]
    print(f"lateral px: median {np.median(lateral):.3f}, 95 % {np.percentile(lateral, 95):.3f}")
    print(f"axial planes: median {np.median(axial):.3f}, 95 % {np.percentile(axial, 95):.3f}")
    print(f"judged and true median residual differ by at most {max(apart):.3f} px")
    print(
        f"s: median {np.median([r.wall_s for r in results]):.0f} wall, "
        f"{np.median([r.cpu_s for r in results]):.0f} CPU"
    )


if __name__ == "__main__":
    main()
