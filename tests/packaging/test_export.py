"""Exports: what old runtimes load, and the same bytes each time."""

from __future__ import annotations

import io
import zipfile

import onnx
import pytest
import torch
from torch import nn

from scopezoo.errors import PackageError
from scopezoo.models.stardist import StarDist2d
from scopezoo.packaging.export import OPSET, export_onnx, export_torchscript


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return StarDist2d([4, 8], 8, 8).eval()


EXAMPLE = torch.zeros(1, 1, 32, 32)


def test_onnx_is_of_the_form_that_old_runtimes_load(network: nn.Module) -> None:
    content = export_onnx(network, EXAMPLE, "bcyx", "byxc")
    model = onnx.load_from_string(content)
    assert model.ir_version == 8
    assert [entry.version for entry in model.opset_import] == [OPSET]
    (given,), (output,) = model.graph.input, model.graph.output
    sizes = [d.dim_value for d in given.type.tensor_type.shape.dim]
    assert sizes == [0, 1, 0, 0], "all but the channels are free"
    assert output.type.tensor_type.shape.dim[3].dim_value == 9


def test_onnx_does_not_depend_on_the_example(network: nn.Module) -> None:
    first = export_onnx(network, EXAMPLE, "bcyx", "byxc")
    assert first == export_onnx(network, torch.rand(2, 1, 64, 32), "bcyx", "byxc")


def test_torchscript_is_the_same_after_other_traces(network: nn.Module) -> None:
    first = export_torchscript(network, EXAMPLE)
    torch.jit.trace(network, EXAMPLE)
    assert export_torchscript(network, EXAMPLE) == first
    image = torch.rand(1, 1, 64, 48)
    assert torch.equal(torch.jit.load(io.BytesIO(first))(image), network(image))


def test_torchscript_says_nothing_of_this_machine(network: nn.Module) -> None:
    archive = zipfile.ZipFile(io.BytesIO(export_torchscript(network, EXAMPLE)))
    names = archive.namelist()
    assert not [name for name in names if name.endswith(".debug_pkl")]
    home = __file__.split("/tests/")[0].encode()
    assert not [name for name in names if home in archive.read(name)]
    for info in archive.infolist():
        start = info.header_offset + 30 + len(info.filename) + len(info.extra)
        assert start % 64 == 0, "records can be mapped into memory"


class Unexportable(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        raise RuntimeError("cannot\nrun")


def test_failures_are_told_in_one_line() -> None:
    with pytest.raises(PackageError, match="cannot be exported as ONNX: cannot run"):
        export_onnx(Unexportable(), EXAMPLE, "bcyx", "bcyx")
    with pytest.raises(PackageError, match="failed"):
        export_torchscript(Unexportable(), EXAMPLE)
