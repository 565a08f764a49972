"""What networks are trained and measured on: `load_dataset("mnist")`, or `Dataset.from_arrays(...)` for your own."""

from spikeledger.datasets.catalog import list_datasets, load_dataset
from spikeledger.datasets.dataset import Dataset
from spikeledger.datasets.events import load_events as load_events
from spikeledger.datasets.flowers import read_flowers as read_flowers

__all__ = ["Dataset", "list_datasets", "load_dataset"]
