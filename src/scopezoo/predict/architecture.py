"""Builds the network that a state dict belongs to, from the package's own source: trusted code."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Mapping
from typing import Any

from scopezoo.errors import PackageError
from scopezoo.store.fields import file_reference
from scopezoo.store.package import Package
from scopezoo.store.tensors import FileReference


def build_network(package: Package) -> Any:
    """The torch module of the package's `pytorch_state_dict` entry, without its weights.

    Runs code of the package: the caller has the operator's word for it.
    Raises PackageError where the source is missing, fails, or lacks the named callable.
    """
    details = package.description.weights["pytorch_state_dict"].details
    name, reference, module_name, arguments = _architecture(details)
    try:
        if reference is not None:
            module: Any = _run_source(package, reference)
        else:
            module = importlib.import_module(module_name)
        return getattr(module, name)(**arguments)
    except PackageError:
        raise
    except Exception as error:  # whatever the package's own code raises
        line = " ".join(str(error).split())[:300]
        raise PackageError(
            f"{package.location}: the architecture {name!r} cannot be built: {line}"
        ) from error


def _architecture(
    details: Mapping[str, Any],
) -> tuple[str, FileReference | None, str, Mapping[str, Any]]:
    """Callable, source file, module and arguments, of format 0.5 or 0.4."""
    entry = details.get("architecture")
    if isinstance(entry, dict):
        arguments = entry.get("kwargs") or {}
        module = str(entry.get("import_from", ""))
        return str(entry.get("callable")), file_reference(entry), module, arguments
    if isinstance(entry, str) and ":" in entry:
        source, name = entry.rsplit(":", 1)
        reference = FileReference(source, details.get("architecture_sha256"))
        return name, reference, "", details.get("kwargs") or {}
    if isinstance(entry, str) and "." in entry:
        module, name = entry.rsplit(".", 1)
        return name, None, module, details.get("kwargs") or {}
    raise PackageError(f"architecture {entry!r}: expected a callable with its source or module")


def _run_source(package: Package, reference: FileReference) -> types.ModuleType:
    source = package.read(reference)
    module = types.ModuleType(f"scopezoo_architecture_{package.rdf_sha256[:12]}")
    sys.modules[module.__name__] = module  # dataclasses look their own module up
    exec(compile(source, reference.source, "exec"), module.__dict__)
    return module
