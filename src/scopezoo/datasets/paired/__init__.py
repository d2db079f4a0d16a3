"""Pairs of images of one field by two microscopes: import, store, check, split, patches."""

from __future__ import annotations

from scopezoo.datasets.paired.store import Dataset

__all__ = ["Dataset"]
