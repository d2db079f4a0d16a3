"""Runs a network from one of its weights formats, on arrays in the tensors' own layout."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import (
    MissingDependencyError,
    PackageError,
    RuntimeFailedError,
    UntrustedError,
    UsageError,
)
from scopezoo.predict.machine import cpu_count
from scopezoo.store.files import sha256
from scopezoo.store.package import Package

RUNTIMES = {
    "onnxruntime": "onnx",
    "openvino": "onnx",
    "torchscript": "torchscript",
    "pytorch_state_dict": "pytorch_state_dict",
}
"""Weights format that each runtime needs, best first."""

MERGED_UPSAMPLING = {"onnxruntime": (3,), "openvino": (1, 2, 3)}
"""Numbers of axes of space for which a runtime is faster with one transposed convolution than with
a nearest-neighbour upsampling and a convolution: measured 1.4 to 2 times."""

_OPENVINO_LOCK = Lock()

COMPILED_SHAPES = 4
"""For how many shapes of the inputs OpenVINO keeps a compiled network."""

Arrays = Sequence[NDArray[Any] | None]
"""One per input of the description, None for one that is left out."""


@dataclass(frozen=True)
class Runtime:
    """A loaded network; `call` maps inputs to outputs in the order of the description."""

    name: str
    version: str
    call: Callable[[Arrays], list[NDArray[Any]]]
    weights_format: str
    weights_sha256: str
    precision: str
    device: str

    def run(self, inputs: Arrays) -> list[NDArray[Any]]:
        """The raw network.

        Raises RuntimeFailedError where it fails, UsageError where it needs an input left out.
        """
        try:
            return self.call(inputs)
        except UsageError:
            raise
        except Exception as error:  # each runtime has exceptions of its own
            shapes = ", ".join(str(array.shape) for array in inputs if array is not None)
            line = " ".join(str(error).split())[:300]
            raise RuntimeFailedError(f"{self.name} failed on input {shapes}: {line}") from error


def load_runtime(
    package: Package,
    *,
    runtime: str | None = None,
    device: str = "cpu",
    precision: str = "float32",
    trust: bool = False,
) -> Runtime:
    """Load a package's network.

    `runtime` is a key of RUNTIMES; None takes the first that the package has weights for.
    `device` is cpu or cuda; `precision` float32 or bf16 (OpenVINO on a CPU that has it).
    Raises UsageError for a combination that does not exist, UntrustedError for weights that are
    code without `trust`, MissingDependencyError, and PackageError for broken weights.
    """
    name = runtime or _choose(package, device, precision, trust)
    _check_choice(name, device, precision)
    weights_format = RUNTIMES[name]
    if weights_format not in package.description.weights:
        has = ", ".join(package.description.weights)
        raise UsageError(f"{name} needs {weights_format} weights; {package.id} has {has}")
    if weights_format != "onnx" and not trust:
        raise UntrustedError(_needs_trust(package, weights_format))
    content = package.read(package.description.weights[weights_format].file)
    if weights_format == "onnx":
        _refuse_external_data(content)
    if name == "openvino" and runtime is None and precision == "float32":
        name, version, call = _openvino_if_it_can(package, content, device, precision)
    else:
        version, call = _LOADERS[name](package, content, device, precision)
    return Runtime(name, version, call, weights_format, sha256(content), precision, device)


def lighter_weights(package: Package, runtime: Runtime) -> bytes | None:
    """ONNX weights of the same network that `runtime` runs with less time and memory on a CPU.

    None where there are none; what they give may differ by rounding.
    """
    if runtime.device != "cpu" or runtime.weights_format != "onnx":
        return None
    from scopezoo.predict.graph.lighter import lighter_model

    content = package.read(package.description.weights["onnx"].file)
    return lighter_model(content, MERGED_UPSAMPLING[runtime.name])


def with_weights(package: Package, runtime: Runtime, content: bytes) -> Runtime:
    """The runtime with other ONNX weights of the same network, loaded anew.

    Raises PackageError where they cannot be loaded.
    """
    _, call = _LOADERS[runtime.name](package, content, runtime.device, runtime.precision)
    return replace(runtime, call=call)


def _choose(package: Package, device: str, precision: str, trust: bool) -> str:
    if precision == "bf16":
        return "openvino"
    weights = package.description.weights
    if "onnx" in weights:
        return _faster_for_onnx(package, device)
    torch_formats = [name for name in ("torchscript", "pytorch_state_dict") if name in weights]
    if not torch_formats:
        raise PackageError(
            f"{package.location} has weights as {', '.join(weights)}; "
            "scopezoo runs onnx, torchscript and pytorch_state_dict"
        )
    if not trust:
        raise UntrustedError(_needs_trust(package, torch_formats[0]))
    return torch_formats[0]


def _faster_for_onnx(package: Package, device: str) -> str:
    """OpenVINO is 1.6 × faster for 3D networks on a CPU, and no faster for 2D."""
    from importlib.util import find_spec

    is_3d = any(len(tensor.space) == 3 for tensor in package.description.inputs)
    return "openvino" if is_3d and device == "cpu" and find_spec("openvino") else "onnxruntime"


def _check_choice(name: str, device: str, precision: str) -> None:
    if name not in RUNTIMES:
        raise UsageError(f"runtime {name!r}: expected one of {', '.join(RUNTIMES)}")
    if device not in ("cpu", "cuda"):
        raise UsageError(f"device {device!r}: expected cpu or cuda")
    if precision not in ("float32", "bf16"):
        raise UsageError(f"precision {precision!r}: expected float32 or bf16")
    if precision == "bf16" and (name != "openvino" or device != "cpu"):
        raise UsageError("precision bf16 needs the runtime openvino on the device cpu")
    if name == "openvino" and device != "cpu":
        raise UsageError("the runtime openvino runs on the device cpu; leave --device out")


def _needs_trust(package: Package, weights_format: str) -> str:
    return (
        f"{package.location}: {weights_format} weights are code that can do anything on this "
        "machine; say --trust if you know who made them"
    )


def _refuse_external_data(content: bytes) -> None:
    """Refuse weights in other files; the word is a cheap first look before onnx is imported."""
    if b"location" in content:
        from scopezoo.predict.graph import analyse_graph

        analyse_graph(content)


def _load_onnxruntime(package: Package, content: bytes, device: str, _precision: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cpu_count()
    options.log_severity_level = 3
    # Planned memory makes planes up to 8 % faster, and volumes no faster or up to 11 % slower.
    is_planar = len(package.description.inputs[0].space) < 3
    options.enable_mem_pattern = device == "cpu" and is_planar
    provider = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}[device]
    if provider not in onnxruntime.get_available_providers():
        raise UsageError(f"this onnxruntime has no {provider}; install onnxruntime-gpu")
    try:
        session = onnxruntime.InferenceSession(content, options, providers=[provider])
    except Exception as error:  # onnxruntime's exceptions share no public base
        raise _broken(package, error) from error
    required = [tensor.name for tensor in session.get_inputs()]
    # an input with a value of its own in the file is one that can be left out
    spare = [tensor.name for tensor in session.get_overridable_initializers()]
    order = _input_order([*required, *spare], package)
    output_names = _output_order([tensor.name for tensor in session.get_outputs()], package)
    # The first run of a shape plans one block of memory for the next ones; what it took itself, in
    # pieces, would be kept beside that block.
    first_run = onnxruntime.RunOptions()
    if options.enable_mem_pattern:
        first_run.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    planned: set[tuple[tuple[int, ...], ...]] = set()

    def call(inputs: Arrays) -> list[NDArray[Any]]:
        feed = {n: array for n, array in zip(order, inputs, strict=True) if array is not None}
        _refuse_left_out(package, inputs, [n in required for n in order])
        shapes = tuple(array.shape for array in feed.values())
        found = session.run(output_names, feed, None if shapes in planned else first_run)
        planned.add(shapes)
        return list(found)

    return onnxruntime.__version__, call


def _input_order(names: list[str], package: Package) -> list[str]:
    """Names of the network's inputs in the order of the description: by id, else by position."""
    ids = [tensor.id for tensor in package.description.inputs]
    return _order(names, ids, package, "inputs")


def _refuse_left_out(package: Package, inputs: Arrays, needed: Sequence[bool]) -> None:
    """Raise UsageError where an input is left out that the network needs."""
    ids = [tensor.id for tensor in package.description.inputs]
    missing = [
        name
        for name, array, need in zip(ids, inputs, needed, strict=True)
        if array is None and need
    ]
    if missing:
        raise UsageError(
            f"the network of {package.id} needs the input {missing[0]!r}; give it as "
            f"{missing[0]}=FILE"
        )


def _output_order(names: list[str], package: Package) -> list[str]:
    ids = [tensor.id for tensor in package.description.outputs]
    return _order(names, ids, package, "outputs")


def _order(names: list[str], ids: list[str], package: Package, what: str) -> list[str]:
    if len(names) < len(ids):
        raise PackageError(
            f"{package.location}: the network has {len(names)} {what}, the description {len(ids)}"
        )
    return ids if set(ids) <= set(names) else names[: len(ids)]


def _broken(package: Package, error: Exception) -> PackageError:
    line = " ".join(str(error).split())[:300]
    return PackageError(f"{package.location}: the weights cannot be loaded: {line}")


def _openvino_if_it_can(package: Package, content: bytes, device: str, precision: str) -> Any:
    """(name, version, call): OpenVINO does not know every operator that onnxruntime knows."""
    try:
        return "openvino", *_load_openvino(package, content, device, precision, compile_now=True)
    except PackageError:
        return "onnxruntime", *_load_onnxruntime(package, content, device, precision)


def _load_openvino(
    package: Package, content: bytes, _device: str, precision: str, compile_now: bool = False
) -> Any:
    with _OPENVINO_LOCK:
        version, core = _openvino()
    hints = {
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bf16": "bf16"}[precision],
        "INFERENCE_NUM_THREADS": cpu_count(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    try:
        model = core.read_model(content)
        if compile_now:
            core.compile_model(model, "CPU", hints)
    except Exception as error:  # openvino raises bare RuntimeErrors and its own
        raise _broken(package, error) from error
    input_names = [port.get_any_name() for port in model.inputs]
    order = [input_names.index(name) for name in _input_order(input_names, package)]
    output_names = [port.get_any_name() for port in model.outputs]
    outputs = [output_names.index(name) for name in _output_order(output_names, package)]
    requests: OrderedDict[tuple[tuple[int, ...], ...], Any] = OrderedDict()

    def call(inputs: Arrays) -> list[NDArray[Any]]:
        _refuse_left_out(package, inputs, [True] * len(inputs))
        arrays = [np.ascontiguousarray(array) for array in inputs]
        shapes = tuple(array.shape for array in arrays)
        if shapes not in requests:
            model.reshape(dict(zip(order, shapes, strict=True)))
            requests[shapes] = core.compile_model(model, "CPU", hints).create_infer_request()
            if len(requests) > COMPILED_SHAPES:
                requests.popitem(last=False)
        requests.move_to_end(shapes)
        request = requests[shapes]
        request.infer(dict(zip(order, arrays, strict=True)), share_inputs=True)
        return [np.array(request.get_output_tensor(i).data) for i in outputs]

    return version, call


@cache
def _openvino() -> tuple[str, Any]:
    """Version and core: one core for the process, which is never let go.

    For AMX its CPU plugin gives the thread that loads it another stack for signals. It frees that
    stack with its last core, in whatever thread that happens: the next signal kills the process.
    """
    try:
        import openvino
    except ImportError as error:
        raise MissingDependencyError("the runtime openvino", "openvino") from error
    return openvino.__version__.split("-")[0], openvino.Core()


def _load_torchscript(package: Package, content: bytes, device: str, _precision: str) -> Any:
    torch = _import_torch()
    try:
        network = torch.jit.load(io.BytesIO(content), map_location=device)
    except RuntimeError as error:
        raise _broken(package, error) from error
    return torch.__version__, _torch_call(torch, network, device, package)


def _load_state_dict(package: Package, content: bytes, device: str, _precision: str) -> Any:
    torch = _import_torch()
    from scopezoo.predict.architecture import build_network

    network = build_network(package)
    try:
        state = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
        network.load_state_dict(state)
    except Exception as error:  # pickle, key and shape errors have no common base
        raise _broken(package, error) from error
    return torch.__version__, _torch_call(torch, network.to(device), device, package)


def _import_torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError("running PyTorch weights", "torch") from error
    torch.set_num_threads(cpu_count())
    return torch


def _torch_call(
    torch: Any, network: Any, device: str, package: Package
) -> Callable[[Arrays], list[NDArray[Any]]]:
    network.eval()

    def call(inputs: Arrays) -> list[NDArray[Any]]:
        with torch.inference_mode():
            tensors = [
                None if array is None else torch.from_numpy(np.ascontiguousarray(array)).to(device)
                for array in inputs
            ]
            try:
                outputs = network(*tensors)
            except Exception:  # which tells little of what a network does with None
                _refuse_left_out(package, inputs, [True] * len(inputs))
                raise
        several = isinstance(outputs, tuple | list)
        return [output.cpu().numpy() for output in (outputs if several else [outputs])]

    return call


_LOADERS: dict[str, Callable[[Package, bytes, str, str], Any]] = {
    "onnxruntime": _load_onnxruntime,
    "openvino": _load_openvino,
    "torchscript": _load_torchscript,
    "pytorch_state_dict": _load_state_dict,
}
