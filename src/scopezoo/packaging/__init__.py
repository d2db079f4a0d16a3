"""Packages models for the BioImage Model Zoo: description, weights in all formats, proof, card."""

from scopezoo.packaging.build import PackagingReport, package

__all__ = ["PackagingReport", "package"]
