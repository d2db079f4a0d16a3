"""Runs a model on an image: plans tiles, reads, runs, writes."""
