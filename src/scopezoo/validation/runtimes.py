"""Level 7: all runtimes that may run the package give the same result."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from scopezoo.errors import MissingDependencyError, ScopezooError
from scopezoo.validation.agreement import compare, stated_tolerance
from scopezoo.validation.report import Check
from scopezoo.validation.runs import Arrays, engine, image_of_sizes, is_fixed, test_inputs
from scopezoo.validation.subject import RUNS, Subject

LEVEL = "runtimes"


def checks(subject: Subject) -> Iterator[Check]:
    """Compare each runtime with the first one, on the test input and on an image of other size."""
    images = {"the test input": test_inputs(subject.package), **_other_image(subject)}
    first = subject.formats[0]
    reference = {
        name: engine(subject, first).predict_sample(image) for name, image in images.items()
    }
    compared = 0
    for runtime, weights_format in _others(subject):
        compared += 1
        for name, image in images.items():
            yield from _compared(subject, runtime, weights_format, name, image, reference[name])
    if "onnx" in subject.formats and find_spec("openvino") is None:
        yield Check(LEVEL, "openvino", "skipped", "openvino is not installed")
    elif not compared:
        yield Check(LEVEL, "runtimes", "skipped", f"nothing to compare {RUNS[first]} with")


def _others(subject: Subject) -> list[tuple[str, str]]:
    """(runtime, weights format) of all that may run but the first."""
    found = [(RUNS[name], name) for name in subject.formats[1:]]
    if "onnx" in subject.formats and find_spec("openvino"):
        found.insert(0, ("openvino", "onnx"))
    return found


def _other_image(subject: Subject) -> dict[str, Arrays]:
    """An image of another size, for networks that take one."""
    axes = engine(subject).geometry.axes
    first = subject.package.description.inputs[0]
    shape = test_inputs(subject.package)[first.id].shape
    if any(is_fixed(axis) for axis in axes):
        return {}
    sizes = {axis.id: shape[first.axis_ids.index(axis.id)] * 3 // 4 | 1 for axis in axes}
    name = "×".join(str(size) for size in sizes.values())
    return {name: image_of_sizes(subject.package, sizes)}


def _compared(
    subject: Subject,
    runtime: str,
    weights_format: str,
    image_name: str,
    image: Arrays,
    reference: Arrays,
) -> Iterator[Check]:
    name = f"{runtime} on {image_name}"
    try:
        outputs = engine(subject, weights_format, runtime=runtime).predict_sample(image)
    except MissingDependencyError as error:
        yield Check(LEVEL, name, "skipped", str(error))
        return
    except ScopezooError as error:
        hint = "whoever uses this runtime cannot use the model; export with plainer operators"
        yield Check(LEVEL, name, "warned", f"does not run: {error}", {}, hint)
        return
    for tensor, wanted in reference.items():
        tolerance = stated_tolerance(subject.package.description, tensor, weights_format)
        found = compare(outputs[tensor], wanted, tolerance)
        good = found.within(tolerance)
        difference = (
            found.problem
            or f"differs from {RUNS[subject.formats[0]]} by at most {found.max_abs:.2g}"
        )
        yield Check(
            LEVEL,
            f"{name}: {tensor}",
            "passed" if good else "failed",
            difference,
            found.measured(),
            "" if good else "export the network again, and check the two on the same image",
        )
