"""What an ONNX graph says about itself, without running it: reach, stride, memory, arithmetic.

The graph is walked at two reference sizes. At each, shapes are numbers (also those that the graph
computes from other shapes), and every tensor carries the interval of input pixels that it depends
on. What differs between the two sizes depends on the size of the image, and no tile can know that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING

from scopezoo.errors import PackageError
from scopezoo.predict.graph.cost import Cost
from scopezoo.predict.graph.read import read_model
from scopezoo.predict.graph.survey import AxisFacts, OutputFacts, Survey
from scopezoo.predict.graph.tensors import MAX_RANK, Factor, Span, Tensor, constant
from scopezoo.predict.graph.walk import Walk, input_names

if TYPE_CHECKING:
    import onnx

__all__ = ["MEMORY_FACTOR", "AxisFacts", "GraphFacts", "InputFacts", "OutputFacts", "analyse_graph"]

REFERENCE_PX = 40_320
"""2^7 · 3^2 · 5 · 7: a legal size for nearly every network."""
MEMORY_FACTOR = 2.25
"""What a runtime takes at most over `activation_bytes_per_px`.

Measured as the growth of resident memory on ten networks, 2D and 3D, of 0.3 to 4 million px:
onnxruntime 0.9 to 2.2 times, for copies into its own channel order and gaps in its arena; OpenVINO
0.8 to 1.7 times, half of that in bf16.
"""


@dataclass(frozen=True)
class InputFacts:
    """An input as declared: `shape` has None where a size is free, `space` the spatial axes."""

    name: str
    shape: tuple[int | None, ...]
    space: tuple[int, ...]


@dataclass(frozen=True)
class GraphFacts:
    """What a graph says about itself.

    `axes` are the spatial axes in the input's order, e.g. (z, y, x). `activation_bytes_per_px` is
    the peak of what a run keeps at once per pixel of the first input, without weights and input;
    None where a shape is not known. `macs_per_px` counts what could be followed.
    """

    inputs: tuple[InputFacts, ...]
    outputs: tuple[OutputFacts, ...]
    axes: tuple[AxisFacts, ...]
    activation_bytes_per_px: float | None
    macs_per_px: float


def analyse_graph(
    model_bytes: bytes,
    space: Sequence[Sequence[int]] | None = None,
    legal_px: Sequence[tuple[int, int]] | None = None,
) -> GraphFacts:
    """Read an ONNX file's facts from its graph; nothing is executed, no other file is read.

    `space` gives the positions of the spatial axes of each input, in the order of the graph, where
    these are not what follows batch and channel. `legal_px` gives (min, step) of the legal sizes
    along each spatial axis, for networks that do not take multiples of their stride.

    Raises PackageError for a broken graph, UnsafePackageError for weights outside the file.
    """
    model = read_model(model_bytes)
    inputs = declared_inputs(model.graph, space)
    n = max((len(entry.space) for entry in inputs), default=0)
    extents = reference_extents(inputs, n, legal_px)
    walks = [Walk(opset_of(model), extent, start_tensors(inputs, extent)) for extent in extents]
    cost = Cost(count_uses(model.graph))
    survey = Survey(n)
    for step, other in zip(*(walk.steps(model.graph) for walk in walks), strict=True):
        cost.add(step)
        survey.add(step, other)
    names = [output.name for output in model.graph.output]
    results = [[walk.find(name, "output") for name in names] for walk in walks]
    px = prod(extents[0])
    return GraphFacts(
        inputs=inputs,
        outputs=tuple(map(survey.output, names, results[0])),
        axes=tuple(survey.axis(k, results[0], results[1], extents[0][k]) for k in range(n)),
        activation_bytes_per_px=None if cost.peak_bytes is None else cost.peak_bytes / px,
        macs_per_px=cost.macs / px,
    )


def opset_of(model: onnx.ModelProto) -> int:
    """The version of ONNX's own operators that the model uses."""
    return max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)


def count_uses(graph: onnx.GraphProto) -> Counter[str]:
    """How often each name is an input of a node or an output of the graph."""
    uses = Counter(output.name for output in graph.output)
    for node in graph.node:
        uses.update(input_names(node))
    return uses


def declared_inputs(
    graph: onnx.GraphProto, space: Sequence[Sequence[int]] | None
) -> tuple[InputFacts, ...]:
    """The inputs that a run must give: old files list the weights among them."""
    weights = {initializer.name for initializer in graph.initializer}
    real = [entry for entry in graph.input if entry.name not in weights]
    if space is not None and len(space) != len(real):
        raise PackageError(f"the ONNX graph has {len(real)} inputs; expected {len(space)}")
    facts = []
    for number, entry in enumerate(real):
        dims = entry.type.tensor_type.shape.dim
        if len(dims) > MAX_RANK:
            raise PackageError(f"the ONNX graph's input {entry.name[:100]!r} has {len(dims)} axes")
        shape = tuple(int(d.dim_value) if d.dim_value > 0 else None for d in dims)
        chosen = usual_space(len(shape)) if space is None else tuple(space[number])
        if shape and any(not 0 <= position < len(shape) for position in chosen):
            raise PackageError(
                f"the ONNX graph's input {entry.name[:100]!r} has {len(shape)} axes; "
                f"expected space at {list(chosen)}"
            )
        facts.append(InputFacts(entry.name, shape, chosen))
    return tuple(facts)


def usual_space(rank: int) -> tuple[int, ...]:
    """Where the axes of space are by convention: after batch and channel, or last."""
    if rank >= 4:
        return tuple(range(2, min(rank, 5)))
    return (rank - 2, rank - 1) if rank >= 2 else ()


def reference_extents(
    inputs: Sequence[InputFacts], n: int, legal_px: Sequence[tuple[int, int]] | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two legal input sizes per spatial axis; the same twice where only one is legal."""
    legal = list(legal_px) if legal_px is not None else [(1, 1)] * n
    if len(legal) != n:
        raise PackageError(f"the ONNX graph has {n} axes of space; expected {len(legal)}")
    for entry in inputs:
        for number, position in enumerate(entry.space):
            fixed = entry.shape[position] if entry.shape else None
            if fixed is not None:
                legal[number + n - len(entry.space)] = (fixed, 0)
    first = tuple(reference_px(least, step) for least, step in legal)
    second = tuple(px + step * REFERENCE_PX for px, (_, step) in zip(first, legal, strict=True))
    return first, second


def reference_px(least: int, step: int) -> int:
    if step == 0:
        return least
    return least + step * max(0, -((least - REFERENCE_PX) // step))


def start_tensors(inputs: Sequence[InputFacts], extent: tuple[int, ...]) -> dict[str, Tensor]:
    return {entry.name: start_tensor(entry, extent) for entry in inputs}


def start_tensor(entry: InputFacts, extent: tuple[int, ...]) -> Tensor:
    """An input at the reference size: every pixel depends on itself."""
    n = len(extent)
    skipped = n - len(entry.space)
    here = Span(Fraction(0), Fraction(0))
    if not entry.shape:
        lost = Span(here.lo, here.hi, frozenset({"an input of undeclared shape"}))
        return Tensor(None, (lost,) * n)
    axes = list(constant([size or 1 for size in entry.shape], n).known_axes)
    spans: list[Span | None] = [None] * n
    for number, position in enumerate(entry.space):
        k = number + skipped
        size = entry.shape[position] or extent[k]
        # An input of another fixed size is taken to show the same field, coarser or finer.
        step = Fraction(extent[k], size)
        steps = tuple(step if i == k else Fraction(0) for i in range(n))
        axes[position] = () if size == 1 else (Factor(size, steps),)
        spans[k] = Span(Fraction(0), max(step - 1, Fraction(0)))
    return Tensor(tuple(axes), tuple(spans))
