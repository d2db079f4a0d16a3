"""Graphs as torch writes them: sizes computed from shapes, normalisation by reshaping."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import onnxruntime
import pytest

from scopezoo.predict.graph import analyse_graph
from scopezoo.predict.halo import SpaceAxis, TensorLayout, measure_halo

torch = pytest.importorskip("torch", reason="the extra torch is not installed")

if TYPE_CHECKING:
    from torch import Tensor, nn
else:
    nn = torch.nn


class SmallUNet(nn.Module):
    """One level of pooling; radius by hand in `RADIUS_PX`."""

    def __init__(self, n_space: int, up: str, norm: str) -> None:
        super().__init__()
        conv = getattr(nn, f"Conv{n_space}d")
        self.first = conv(1, 4, 3, padding=1)
        self.norm = {
            "batch": getattr(nn, f"BatchNorm{n_space}d")(4),
            "instance": getattr(nn, f"InstanceNorm{n_space}d")(4),
            "group": nn.GroupNorm(2, 4),
        }[norm]
        self.pool = getattr(nn, f"MaxPool{n_space}d")(2)
        self.deep = conv(4, 4, 3, padding=1)
        self.transposed = getattr(nn, f"ConvTranspose{n_space}d")(4, 4, 2, stride=2)
        self.last = conv(8, 1, 3, padding=1)
        self.up = up

    def forward(self, x: Tensor) -> Tensor:
        skip = torch.relu(self.norm(self.first(x)))
        deep = torch.relu(self.deep(self.pool(skip)))
        if self.up == "transposed":
            deep = self.transposed(deep)
        else:
            deep = nn.functional.interpolate(deep, size=skip.shape[2:], mode=self.up)
        height = skip.shape[2]  # a crop by computed sizes, which changes nothing
        return self.last(torch.cat([skip, deep[:, :, :height]], dim=1))


RADIUS_PX = {"nearest": 5, "transposed": 5, "bilinear": 6, "trilinear": 6}
"""1 of the last convolution, 1 for the other pixel of a pooled pair, 2 of the convolution of pairs,
1 of the first; a linear upsampling looks at a neighbouring pair, of which 1 px is new."""


def export(n_space: int, up: str, norm: str, opset: int) -> bytes:
    torch.manual_seed(0)
    model = SmallUNet(n_space, up, norm).eval()
    free = {0: "b", **{axis: f"s{axis}" for axis in range(2, 2 + n_space)}}
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            torch.zeros(1, 1, *[16] * n_space),
            file,
            dynamo=False,
            opset_version=opset,
            input_names=["x"],
            output_names=["y"],
            dynamic_axes={"x": free, "y": free},
        )
    return file.getvalue()


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize(
    ("n_space", "up"),
    [(2, "nearest"), (2, "bilinear"), (2, "transposed"), (3, "trilinear"), (3, "transposed")],
)
def test_radius_of_a_small_unet(n_space: int, up: str, opset: int) -> None:
    model = export(n_space, up, "batch", opset)
    facts = analyse_graph(model)
    assert [axis.radius_px for axis in facts.axes] == [RADIUS_PX[up]] * n_space
    assert [axis.stride_px for axis in facts.axes] == [2] * n_space
    assert facts.outputs[0].scale == (1,) * n_space
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    ids = ("z", "y", "x")[-n_space:]
    layout = TensorLayout(("batch", "channel", *ids))
    axes = [SpaceAxis(axis_id, 8, 2, 2, RADIUS_PX[up]) for axis_id in ids]
    report = measure_halo(lambda x: session.run(None, {"x": x[0]}), [layout], [layout], axes)
    for axis in report.axes.values():
        assert axis.error_at[max(axis.error_at)] < 1e-6
        assert axis.error_at[0] > 1e-3


@pytest.mark.parametrize("norm", ["instance", "group"])
def test_normalisation_over_space_is_unbounded(norm: str) -> None:
    facts = analyse_graph(export(2, "nearest", norm, 17))
    assert {axis.unbounded_by for axis in facts.axes} == {("InstanceNormalization",)}
    assert [axis.stride_px for axis in facts.axes] == [2, 2]
    assert facts.outputs[0].scale == (1, 1)
