"""Learning without a gradient: STDP by pairs and by traces, lateral inhibition, and digits without labels."""

from .constants import Constants as Constants
from .diehl_cook import DiehlCook as DiehlCook
from .diehl_cook import Learned as Learned
from .diehl_cook import Responses as Responses
from .diehl_cook import learn as learn
from .diehl_cook import respond as respond
from .inhibition import compete as compete
from .stdp_pairs import PairRule as PairRule
from .stdp_pairs import by_pairs as by_pairs
from .stdp_pairs import by_traces as by_traces
from .stdp_pairs import window as window
from .votes import VOTES as VOTES
from .votes import label_neurons as label_neurons
from .votes import vote as vote
