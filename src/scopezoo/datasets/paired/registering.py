"""Registers the pairs of a dataset, each by itself or with one transform for many.

What was found is stored pair by pair: the same call goes on where an earlier one was stopped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Literal

import numpy as np

from scopezoo.datasets.paired.finding import Finding
from scopezoo.datasets.paired.manifest import Pair
from scopezoo.datasets.paired.sampling import GriddedImage
from scopezoo.datasets.paired.store import Dataset
from scopezoo.datasets.registration import (
    Combined,
    Model,
    Registration,
    combine,
    judge_transform,
    register,
)
from scopezoo.errors import ImageError, IncompatibleImageError, UsageError

Session = Literal["pair", "specimen", "dataset"]


def register_pairs(
    dataset: Dataset,
    *,
    model: Model = "similarity",
    session: Session = "pair",
    smooth: bool = False,
    again: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> list[Finding]:
    """Register every pair that is not yet, every one of them `again` if asked; all that is wrong.

    With `session` "specimen" or "dataset", nothing moved between the pairs of one: the median of
    their own transforms becomes that of all, outliers are told, and every pair is judged with it.
    With `smooth`, each pair has what its matrix leaves beside it, where that makes it better.
    Raises MissingDependencyError without the extra `datasets`.
    """
    todo = [pair for pair in dataset.pairs if again or pair.status == "unregistered"]
    for done, pair in enumerate(todo):
        progress(done, len(todo))
        _register(dataset, pair, model, smooth and session == "pair")
    findings: list[Finding] = []
    if session != "pair":
        members: dict[str, list[str]] = defaultdict(list)
        for pair in dataset.pairs:
            members[pair.specimen if session == "specimen" else "dataset"].append(pair.id)
        for name, ids in members.items():
            findings += _share(dataset, name, ids, smooth)
    progress(len(todo), len(todo))
    return findings + [
        Finding("error", "registration", "; ".join(pair.reasons), pair.id)
        for pair in dataset.pairs
        if pair.status == "failed"
    ]


def _register(dataset: Dataset, pair: Pair, model: Model, smooth: bool) -> None:
    try:
        found = register(
            dataset.image(pair.source),
            dataset.image(pair.target),
            model=model,
            smooth=smooth,
            source_channel=pair.source.channel,
            target_channel=pair.target.channel,
        )
    except (ImageError, IncompatibleImageError, UsageError) as error:
        dataset.set_registration(pair.id, None, None, status="failed", reasons=[str(error)])
        return
    _store(dataset, pair, found)


def _share(dataset: Dataset, name: str, ids: list[str], smooth: bool) -> list[Finding]:
    """Give all pairs of a session the median transform of those that registered."""
    pairs = [pair for pair in dataset.pairs if pair.id in ids]
    good = [pair for pair in pairs if pair.status == "registered" and pair.source_to_target]
    if not good:
        return [Finding("error", "registration", "no pair of this session registered", name)]
    extents = [GriddedImage.of(dataset.image(one.source), one.source) for one in good]
    sizes = np.median([np.multiply(one.shape, one.voxel_um) for one in extents], axis=0)
    together = combine(
        [pair.source_to_target.array for pair in good if pair.source_to_target],
        (float(sizes[0]), float(sizes[1]), float(sizes[2])),
    )
    for pair in pairs:
        _judge(dataset, pair, together, smooth)
    return [
        Finding(
            "warning",
            "registration",
            f"its own transform lies {together.deviations_um[i]:.2f} µm from that of its session",
            good[i].id,
        )
        for i in together.outliers
    ]


def _judge(dataset: Dataset, pair: Pair, together: Combined, smooth: bool) -> None:
    try:
        judged = judge_transform(
            dataset.image(pair.source),
            dataset.image(pair.target),
            together.matrix,
            smooth=smooth,
            source_channel=pair.source.channel,
            target_channel=pair.target.channel,
        )
    except (ImageError, IncompatibleImageError, UsageError):
        return  # it failed by itself, with this reason
    _store(dataset, pair, judged)


def _store(dataset: Dataset, pair: Pair, found: Registration) -> None:
    dataset.set_registration(
        pair.id,
        found.matrix,
        found.quality.model_dump(mode="json"),
        status="registered" if found.quality.passed else "failed",
        reasons=found.quality.reasons,
        smooth=found.smooth,
    )
