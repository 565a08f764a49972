"""Learning without a gradient: STDP by pairs and by traces, lateral inhibition, and digits without labels."""

from .constants import Constants as Constants
from .diehl_cook import DiehlCook as DiehlCook
from .diehl_cook import Learned as Learned
from .diehl_cook import Responses as Responses
from .diehl_cook import learn as learn
from .diehl_cook import respond as respond
from .votes import label_neurons as label_neurons
from .votes import vote as vote
