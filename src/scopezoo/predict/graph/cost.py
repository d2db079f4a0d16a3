"""Memory and arithmetic of one run, from the walk over a graph."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from scopezoo.predict.graph.rules import ELEMENTWISE, POINTWISE, VIEWS
from scopezoo.predict.graph.tensors import Tensor, UnknownError
from scopezoo.predict.graph.walk import Step

IN_PLACE = POINTWISE | ELEMENTWISE | VIEWS | {"BatchNormalization"}
"""What runtimes write over their input, or do inside the operator before."""


@dataclass
class Cost:
    """Adds up steps in the order of the file; a tensor lives until its last use.

    `uses` says how often each name is an input of a node or an output of the graph.
    `peak_bytes` counts what a run makes: neither the weights nor the input array. It is None once a
    tensor's shape is not known.
    """

    uses: Counter[str]
    macs: int = 0
    peak_bytes: int | None = 0
    live_bytes: int = 0
    buffers: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    owners: Counter[str] = field(default_factory=Counter)

    def add(self, step: Step) -> None:
        self.macs += step.macs
        if self.peak_bytes is None:
            return
        try:
            for name, tensor in step.outputs.items():
                self.allocate(step, name, tensor)
        except UnknownError:
            self.peak_bytes = None
            return
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)
        for name in step.inputs:
            self.release(name)
        for name in step.outputs:
            if not self.uses[name]:
                self.uses[name] = 1
                self.release(name)

    def allocate(self, step: Step, name: str, tensor: Tensor) -> None:
        """A new buffer, or that of an input of the same size whose last use this is."""
        if tensor.is_constant:
            return
        size = tensor.nbytes
        if step.op in IN_PLACE:
            for source in step.inputs:
                buffer = self.buffers.get(source)
                is_last = self.uses[source] == 1 and buffer and self.owners[buffer] == 1
                if buffer and self.sizes[buffer] == size and (is_last or step.op in VIEWS):
                    self.buffers[name] = buffer
                    self.owners[buffer] += 1
                    return
        self.buffers[name] = name
        self.sizes[name] = size
        self.owners[name] = 1
        self.live_bytes += size

    def release(self, name: str) -> None:
        self.uses[name] -= 1
        buffer = self.buffers.get(name)
        if buffer is None or self.uses[name] > 0:
            return
        del self.buffers[name]
        self.owners[buffer] -= 1
        if not self.owners[buffer]:
            self.live_bytes -= self.sizes.pop(buffer)
