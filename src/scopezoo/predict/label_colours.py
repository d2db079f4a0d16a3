"""Colours for a picture of labels, in which neighbours differ."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np
from numpy.typing import NDArray

PALETTE = np.array(
    [(230, 159, 0), (86, 180, 233), (0, 178, 125), (240, 228, 66), (235, 105, 30), (224, 134, 186)],
    np.uint8,
)
"""The colours of Okabe and Ito (2008) that show on dark grey, three of them made lighter."""

NEIGHBOUR_PX = 12
"""Labels whose gap is narrower are neighbours."""


def label_colours(labels: NDArray[Any]) -> NDArray[np.uint8]:
    """Colours (Y, X, red-green-blue) of a YX label image; black where there is no object.

    Neighbours have different colours, always where every label is in one piece. The same labels
    give the same colours.
    """
    values, numbers = np.unique(labels, return_inverse=True)
    numbers = numbers.reshape(labels.shape) + (0 if 0 in values else 1)
    colours = np.zeros((int(numbers.max(initial=0)) + 1, 3), np.uint8)
    colours[1:] = PALETTE[_colour_graph(_neighbours(numbers))]
    return colours[numbers]


def _neighbours(numbers: NDArray[np.intp]) -> list[set[int]]:
    """For the objects 1, 2, … of a label image, the indices from 0 of those near to each."""
    from skimage.segmentation import expand_labels

    near = expand_labels(numbers, NEIGHBOUR_PX / 2)  # type: ignore[no-untyped-call]
    sides = [(near[1:], near[:-1]), (near[:, 1:], near[:, :-1])]
    pairs = np.concatenate([np.column_stack([a.ravel(), b.ravel()]) for a, b in sides])
    pairs = pairs[(pairs[:, 0] != pairs[:, 1]) & (pairs > 0).all(axis=1)]
    graph: list[set[int]] = [set() for _ in range(int(numbers.max(initial=0)))]
    for a, b in np.unique(np.sort(pairs, axis=1), axis=0).tolist():
        graph[a - 1].add(b - 1)
        graph[b - 1].add(a - 1)
    return graph


def _colour_graph(graph: list[set[int]]) -> list[int]:
    """An index into PALETTE for each node, unlike those of its neighbours.

    Nodes are coloured in smallest-last order, for which six colours are enough in a planar graph
    (Matula & Beck 1983); without an unused colour a node takes one that few neighbours have.
    """
    colours: dict[int, int] = {}
    for node in _smallest_last(graph):
        taken = [colours[other] for other in graph[node] if other in colours]
        # Beginning at another colour each time makes all of them about as frequent.
        wheel = [(node + turn) % len(PALETTE) for turn in range(len(PALETTE))]
        colours[node] = min(wheel, key=taken.count)
    return [colours[node] for node in range(len(graph))]


def _smallest_last(graph: list[set[int]]) -> list[int]:
    """The nodes such that each has few neighbours before it."""
    degree = [len(others) for others in graph]
    heap = [(count, node) for node, count in enumerate(degree)]
    heapify(heap)
    order: dict[int, None] = {}
    while heap:
        count, node = heappop(heap)
        if node in order or count != degree[node]:
            continue
        order[node] = None
        for other in graph[node]:
            degree[other] -= 1
            heappush(heap, (degree[other], other))
    return list(reversed(order))
