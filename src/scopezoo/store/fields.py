"""Checked access to the fields of a description that a stranger wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scopezoo.errors import PackageError
from scopezoo.store.tensors import FileReference


def file_reference(entry: Any) -> FileReference | None:
    """A file named by a string or by a mapping with `source` and `sha256`; None for neither."""
    if isinstance(entry, str):
        return FileReference(entry)
    if isinstance(entry, dict) and isinstance(entry.get("source"), str):
        return FileReference(entry["source"], text_or_none(entry.get("sha256")))
    return None


def required(entry: Mapping[str, Any], key: str, where: str) -> Any:
    """`entry[key]`; PackageError naming `where` if it is missing."""
    value = entry.get(key)
    if value is None:
        raise PackageError(f"{where} has no {key!r}")
    return value


def mappings(entry: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
    """`entry[key]` as a non-empty list of mappings; PackageError otherwise."""
    values = listed(required(entry, key, where), f"{where}.{key}")
    if not values or not all(isinstance(value, dict) for value in values):
        raise PackageError(f"{where}.{key}: expected a list of mappings")
    return values


def whole(value: Any, where: str, least: int) -> int:
    """A whole number of at least `least`; PackageError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**31:
        raise PackageError(f"{where} is {value!r}; expected a whole number from {least}")
    return value


def listed(value: Any, where: str) -> list[Any]:
    """`value` if it is a list; PackageError otherwise."""
    if not isinstance(value, list):
        raise PackageError(f"{where} is {value!r}; expected a list")
    return value


def number(value: Any, where: str) -> float:
    """`value` as a float; PackageError for anything but a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PackageError(f"{where} is {value!r}; expected a number")
    try:
        return float(value)
    except OverflowError as error:
        raise PackageError(f"{where} is a number of {len(str(value))} digits") from error


def positive(value: Any, where: str) -> float:
    """`value` as a float above 0 that can be multiplied and divided; PackageError otherwise."""
    found = number(value, where)
    if not 1e-12 < found < 1e12:
        raise PackageError(f"{where} is {value!r}; expected a number above 0")
    return found


def text_or_none(value: Any) -> str | None:
    """`value` as text, None if it is missing."""
    return None if value is None else str(value)
