"""scopezoo packages, validates and runs deep-learning models of microscopy."""

__version__ = "0.1.0"
