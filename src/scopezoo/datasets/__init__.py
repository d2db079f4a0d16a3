"""Images to train and test on: reading, grouping by field, splitting, simulating."""

from scopezoo.datasets.simulate import simulate_nuclei

__all__ = ["simulate_nuclei"]
