"""The neural engineering framework from scratch: neurons with tuning curves, populations, decoders, and what they cost."""

from .adaptive import AdaptiveLIF as AdaptiveLIF
from .decoders import solve as solve
from .networks import Run as Run
from .networks import connect as connect
from .networks import integrator as integrator
from .networks import simulate as simulate
from .neurons import LIF as LIF
from .neurons import leaky_integrator as leaky_integrator
from .populations import Population as Population
from .populations import population as population
from .synapses import Lowpass as Lowpass
