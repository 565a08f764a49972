"""What did happen: exact integer counts, by layer, event and neuron. Needs numpy and nothing else."""

from .account import Activity, arrival, merge_class
from .rows import Counts, InputClass, Layer, Tally, Uncounted, same

__all__ = ["Activity", "Counts", "InputClass", "Layer", "Tally", "Uncounted", "arrival", "merge_class", "same"]
