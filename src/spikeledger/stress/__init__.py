"""How networks answer when inputs are noisy, hardware is broken, or somebody means ill."""

from .compare import Robustness as Robustness
from .compare import Row as Row
from .compare import robustness as robustness
