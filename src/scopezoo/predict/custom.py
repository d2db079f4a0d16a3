"""Loads a package's own processing code: only with the operator's word."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Any, cast

from numpy.typing import NDArray

from scopezoo.errors import PackageError
from scopezoo.store.fields import file_reference
from scopezoo.store.package import Package


def load_custom(
    package: Package, step: Mapping[str, Any]
) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """The callable of a `custom` step: `callable(**kwargs)` gives a function of one array.

    Runs code of the package. Raises PackageError where it is missing or fails.
    """
    name = str(step.get("callable"))
    reference = file_reference(step)
    if reference is None:
        raise PackageError(f"{package.location}: the custom step {name!r} names no source file")
    module = types.ModuleType("scopezoo_custom_step")
    try:
        exec(compile(package.read(reference), reference.source, "exec"), module.__dict__)
        made = getattr(module, name)(**(step.get("kwargs") or {}))
    except PackageError:
        raise
    except Exception as error:  # whatever the package's own code raises
        line = " ".join(str(error).split())[:300]
        raise PackageError(f"{package.location}: custom step {name!r} failed: {line}") from error
    return cast("Callable[[NDArray[Any]], NDArray[Any]]", made)
