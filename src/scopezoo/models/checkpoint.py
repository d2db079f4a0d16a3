"""Saving and loading tensors so that a file is either whole or not there."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from scopezoo.errors import FileError


def save_tensors(content: Any, path: Path) -> None:
    """Write `content` under a temporary name, then move it to `path`."""
    unfinished = path.with_name(path.name + ".part")
    torch.save(content, unfinished)
    unfinished.replace(path)


def load_tensors(path: Path) -> Any:
    """Read what `save_tensors` wrote: tensors and plain values only, no code.

    Raises FileError for a file that is missing or holds anything else.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise FileError(f"{path} is missing: expected weights written by torch") from error
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FileError(f"{path} cannot be read as torch tensors: {reason}") from error
