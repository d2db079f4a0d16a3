"""Packages models for the BioImage Model Zoo: description, weights in all formats, proof, card."""

from scopezoo.packaging.build import PackagingReport, package, write_collection_folder

__all__ = ["PackagingReport", "package", "write_collection_folder"]
