"""Greedy non-maximum suppression of StarDist candidates that need not be in memory at once.

Greedy suppression keeps a candidate unless a kept one that ranks higher suppresses it. There is
exactly one set K with (a) no member of K suppressed by a higher-ranking member, and (b) everything
else suppressed by one: by induction over the ranks it is what one run over all candidates keeps.
So parts of the sample are decided one after the other, each against what is kept so far around it,
and when a kept object falls to a later part, those that it may have suppressed are decided again.
(a) holds after every step, (b) for all but those still to be decided again; when none is left, the
result is that of one run over the whole, whatever the parts. The steps end: from the highest rank
down, each candidate's fate becomes final once it is decided after those of the higher ranks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from scopezoo.predict.stardist import Candidates, StardistParameters, require_stardist
from scopezoo.predict.stardist_render import Objects, star_rays

BLOCK_CANDIDATES = 100_000
"""Candidates decided in one run: stardist takes about 0.7 kB for each beside the candidates."""
SLACK_PX = 2.0
"""stardist cuts corners to whole pixels towards 0: less than 1.5 px from where they are."""


def select_objects(
    tiles: Sequence[Candidates],
    parameters: StardistParameters,
    progress: Callable[[int], None] | None = None,
) -> Objects:
    """The candidates that greedy non-maximum suppression over the whole sample keeps.

    `tiles` holds each candidate of the sample once, however it is cut up; a CandidateFolder keeps
    only one tile in memory. The result does not depend on the cut, and is that of stardist, with
    equal probabilities in the order that a stable sort gives there. (In 3D, stardist's cheap first
    tests look through the mean aspect ratio of what it is given, so that an overlap within voxel
    error of the threshold may be judged differently in another cut.) `progress` is told the number
    of tiles decided so far. Raises MissingDependencyError without `stardist`.
    """
    require_stardist()
    selection = _Selection(tiles, parameters)
    for tile in range(len(tiles)):
        selection.decide_tile(tile)
        if progress is not None:
            progress(tile + 1)
    selection.decide_again()
    return Objects.of(selection.kept(), parameters)


@dataclass
class _Tile:
    """What stays in memory of a tile: the rows of its candidates that are kept, and its bounds."""

    rows: NDArray[np.intp]
    kept: Candidates
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    fallen: list[Candidates] = field(default_factory=list)
    """Once kept, here or near, and since suppressed: what they had suppressed is to be decided."""


class _Selection:
    def __init__(self, tiles: Sequence[Candidates], parameters: StardistParameters) -> None:
        self._tiles = tiles
        self._parameters = parameters
        self._longest_px = max((_longest_px(candidates) for candidates in tiles), default=0.0)
        self._decided: list[_Tile] = []
        self._again: deque[int] = deque()

    def kept(self) -> Candidates:
        empty = Candidates.none(self._parameters)
        return Candidates.join([empty, *(tile.kept for tile in self._decided)])

    def decide_tile(self, tile: int) -> None:
        candidates = self._tiles[tile]
        low, high = _bounds(candidates)
        none = np.zeros(0, np.intp)
        self._decided.append(_Tile(none, candidates.take(none), low, high))
        for rows in _blocks(candidates.points, np.arange(len(candidates))):
            self._decide(tile, rows, candidates.take(rows))

    def decide_again(self) -> None:
        while self._again:
            tile = self._again.popleft()
            state = self._decided[tile]
            fallen, state.fallen = Candidates.join(state.fallen), []
            candidates = self._tiles[tile]
            open_rows = np.setdiff1d(_reached(candidates, fallen), state.rows)
            for rows in _blocks(candidates.points, open_rows):
                self._decide(tile, rows, candidates.take(rows))

    def _decide(self, tile: int, rows: NDArray[np.intp], candidates: Candidates) -> None:
        """Decide some candidates, none of them kept, against all that is kept around them."""
        near = list(self._near(*_bounds(candidates)))
        rivals = [self._decided[other].kept.take(index) for other, index in near]
        wins = greedy(Candidates.join([candidates, *rivals]), self._parameters, self._longest_px)
        won, *stay = np.split(wins, np.cumsum([len(candidates), *(len(i) for _, i in near)])[:-1])
        for (other, index), stays in zip(near, stay, strict=True):
            self._remove(other, index[~stays])
        state = self._decided[tile]
        state.rows = np.concatenate([state.rows, rows[won]])
        state.kept = Candidates.join([state.kept, candidates.take(won)])

    def _near(
        self, low: NDArray[np.float32], high: NDArray[np.float32]
    ) -> Iterator[tuple[int, NDArray[np.intp]]]:
        """Tiles with kept objects that may reach into a box, and which of their kept they are."""
        for tile, state in enumerate(self._decided):
            if len(state.kept) and (state.low <= high).all() and (state.high >= low).all():
                reach = _reach_px(state.kept)[:, None]
                apart = (state.kept.points - reach > high) | (state.kept.points + reach < low)
                index = np.flatnonzero(~apart.any(axis=1))
                if len(index):
                    yield tile, index

    def _remove(self, other: int, index: NDArray[np.intp]) -> None:
        if not len(index):
            return
        state = self._decided[other]
        fallen = state.kept.take(index)
        stays = np.delete(np.arange(len(state.rows)), index)
        state.rows, state.kept = state.rows[stays], state.kept.take(stays)
        low, high = _bounds(fallen)
        for tile, around in enumerate(self._decided):
            if (around.low <= high).all() and (around.high >= low).all():
                around.fallen.append(fallen)
                if tile not in self._again:
                    self._again.append(tile)


def greedy(
    candidates: Candidates, parameters: StardistParameters, longest_px: float
) -> NDArray[np.bool_]:
    """Which candidates one greedy suppression by stardist keeps; `longest_px` is the sample's
    longest ray, by which stardist's 2D code tells what lies too far apart to be compared."""
    kept = np.zeros(len(candidates), np.bool_)
    if len(candidates):
        order = _ranking(candidates)
        ranked = candidates.take(order)
        suppress = _greedy_2d if parameters.ndim == 2 else _greedy_3d
        kept[order] = suppress(ranked, parameters, longest_px)
    return kept


def _ranking(candidates: Candidates) -> NDArray[np.intp]:
    """By falling probability; equal ones as stardist's (two in 3D) reversed sorts leave them."""
    ndim = candidates.points.shape[1]
    position = candidates.points.T[::-1]
    ties = -position if ndim == 2 else position
    return np.lexsort((*ties, -candidates.prob))


def _greedy_2d(
    ranked: Candidates, parameters: StardistParameters, longest_px: float
) -> NDArray[np.bool_]:
    from stardist.nms import non_maximum_suppression_inds

    # stardist compares i and j only if nearer than ray(i) + the longest ray of all that it is
    # given: a last candidate far away brings in the sample's, where it is in reach of anything
    longest = min(longest_px, float(_reach_px(ranked).max() - min(0, ranked.dist.min())))
    away = np.full((1, 2), -8 * longest - 64, np.float32)
    try:
        kept = non_maximum_suppression_inds(
            np.concatenate([ranked.dist, np.full_like(ranked.dist[:1], longest)]),
            np.concatenate([ranked.points.astype(np.float32), away]),
            scores=None,
            thresh=parameters.nms_threshold,
            verbose=False,
        )
    except SystemError as error:  # what stardist makes of Ctrl-C
        raise KeyboardInterrupt from error
    return np.asarray(kept[:-1], np.bool_)


def _greedy_3d(
    ranked: Candidates, parameters: StardistParameters, _longest_px: float
) -> NDArray[np.bool_]:
    from stardist.nms import non_maximum_suppression_3d_inds

    kept = non_maximum_suppression_3d_inds(
        ranked.dist,
        ranked.points,
        star_rays(parameters),
        scores=np.arange(len(ranked), 0, -1),
        thresh=parameters.nms_threshold,
        verbose=False,
    )
    # on Ctrl-C stardist returns without a word, and without setting its result
    if not kept[0] or kept.view(np.uint8).max() > 1:
        raise KeyboardInterrupt
    return np.asarray(kept, np.bool_)


def _longest_px(candidates: Candidates) -> float:
    return float(candidates.dist.max(initial=0))


def _reach_px(candidates: Candidates) -> NDArray[np.float32]:
    """How far from its centre each candidate reaches at most."""
    longest: NDArray[np.float32] = np.abs(candidates.dist).max(axis=1, initial=0)
    return longest + np.float32(SLACK_PX)


def _bounds(candidates: Candidates) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Corners of a box that holds all candidates; an empty one that meets nothing for none."""
    reach = _reach_px(candidates)[:, None]
    points = candidates.points.astype(np.float32)
    low = (points - reach).min(axis=0, initial=np.inf)
    return low, (points + reach).max(axis=0, initial=-np.inf)


def _reached(candidates: Candidates, fallen: Candidates) -> NDArray[np.intp]:
    """Rows of the candidates that one of `fallen`, ranking no lower, may touch."""
    low, high = _bounds(fallen)
    reach = _reach_px(candidates)
    apart = (candidates.points - reach[:, None] > high) | (candidates.points + reach[:, None] < low)
    rows = np.flatnonzero(~apart.any(axis=1))
    points, prob, reach = candidates.points[rows], candidates.prob[rows], reach[rows]
    reached = np.zeros(len(rows), np.bool_)
    for point, fallen_prob, far in zip(fallen.points, fallen.prob, _reach_px(fallen), strict=True):
        close = (np.abs(points - point) <= (reach + far)[:, None]).all(axis=1)
        reached |= close & (prob <= fallen_prob)
    return rows[reached]


def _blocks(points: NDArray[np.int32], rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Rows cut at medians into compact blocks of at most BLOCK_CANDIDATES."""
    if len(rows) <= BLOCK_CANDIDATES:
        if len(rows):
            yield rows
        return
    axis = int(np.argmax(np.ptp(points[rows], axis=0)))
    halves = np.array_split(rows[np.argsort(points[rows, axis], kind="stable")], 2)
    for half in halves:
        yield from _blocks(points, half)
