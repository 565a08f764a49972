"""The constants of Diehl & Cook's network, and what the kernel makes of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ..arguments import checked
from ..errors import InputError


@checked
@dataclass(frozen=True)
class Constants:
    """Every constant of the network, in SI units; conductances have no unit, as in the paper's equations.

    Source: Diehl & Cook 2015, Front. Comput. Neurosci. 9:99, doi:10.3389/fncom.2015.00099; what the paper leaves open
    is from the authors' own code (peter-u-diehl/stdp-mnist): all potentials of the inhibitory neurons, both strengths,
    the rates of learning, the sum of the weights, and the intensity. `most` and `inhibition_learning` are ours: the
    paper would go on for ever with a black image, and inhibits alike throughout.
    """

    step_seconds: float = 0.5e-3
    shown_seconds: float = 0.35
    pause_seconds: float = 0.15  # after each digit: conductances and membranes rest, and thresholds sink for its length
    rest_volts: float = -65e-3
    reset_volts: float = -65e-3
    threshold_volts: float = -52e-3
    membrane_seconds: float = 0.1
    refractory_seconds: float = 5e-3
    low_volts: float = -100e-3  # to which inhibition draws; excitation draws to 0
    inhibitory_rest_volts: float = -60e-3
    inhibitory_reset_volts: float = -45e-3
    inhibitory_threshold_volts: float = -40e-3
    inhibitory_membrane_seconds: float = 10e-3
    inhibitory_refractory_seconds: float = 2e-3
    excitatory_seconds: float = 1e-3  # of the conductances
    inhibitory_seconds: float = 2e-3
    excitation: float = 10.4  # of an inhibitory neuron by its partner
    inhibition: float = 17.0  # of everyone else by it
    inhibition_learning: float = 40.0  # the same while the network learns, see `diehl_cook`
    theta_volts: float = 0.05e-3  # by which a spike raises its neuron's threshold
    theta_seconds: float = 1e4
    trace_seconds: float = 20e-3
    trace_after_seconds: float = 40e-3  # of the earlier spike that a neuron needs before a spike strengthens
    decrease: float = 1e-4
    increase: float = 1e-2
    largest: float = 1.0
    total: float = 78.0  # of the weights into one neuron
    hertz_per_level: float = 0.125  # of an input, a grey level of 255, at an intensity of 1
    intensity: int = 2
    enough: int = 5  # spikes; with fewer a digit is shown again, brighter by 1
    most: int = 16  # times that one digit is shown
    delay_seconds: float = 10e-3  # the longest of an input, where inputs have delays

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not math.isfinite(value):
                raise InputError(f"the constant {each.name} is {value}, but must be a finite number")
            if each.name.endswith("_seconds") and value <= 0 and each.name != "pause_seconds":
                raise InputError(f"the constant {each.name} is {value:g}, but must be above 0 s")
        if self.total <= 0 or min(self.intensity, self.most) < 1:
            raise InputError("the sum of the weights, the intensity and the presentations of a digit must be above 0")
        brightest = 255 * self.hertz_per_level * self.step_seconds * (self.intensity + self.most - 1)
        if not 0 < brightest < 1:
            raise InputError(
                f"the brightest input would spike with a chance of {brightest:g} in a step, but that must lie in 0 .. 1: "
                "take shorter steps, a lower rate or fewer presentations"
            )
        if self.steps > 20_000:
            raise InputError(f"a digit would be shown for {self.steps:,} steps, but at most 20,000 are possible")

    @property
    def steps(self) -> int:
        """Steps of one presentation."""
        return self.in_steps(self.shown_seconds)

    def in_steps(self, seconds: float) -> int:
        """A time as a whole number of steps."""
        return round(seconds / self.step_seconds)

    def fading(self, seconds: float, steps: int) -> NDArray[np.float32]:
        """What is left of a trace after 0 .. steps: `exp(-n step / seconds)`."""
        return np.exp(-np.arange(steps + 1) * self.step_seconds / seconds).astype(np.float32)

    def of_a_step(self, *, learn: bool = False) -> dict[str, float | int]:
        """The constants as the kernel takes them: millivolts, and the shares of a step."""
        step = self.step_seconds
        volts = {
            name: getattr(self, f"{name}_volts") * 1e3
            for name in (
                "rest", "reset", "threshold", "low", "inhibitory_rest", "inhibitory_reset", "inhibitory_threshold",
            )
        }  # fmt: skip
        as_given = ("excitation", "decrease", "increase", "largest", "total")
        return {
            **volts,
            **{name: getattr(self, name) for name in (*as_given, "enough", "most", "intensity")},
            "inhibition": self.inhibition_learning if learn else self.inhibition,
            "rate": step / self.membrane_seconds,
            "inhibitory_rate": step / self.inhibitory_membrane_seconds,
            "ge_fade": math.exp(-step / self.excitatory_seconds),
            "gi_fade": math.exp(-step / self.inhibitory_seconds),
            "theta_step": self.theta_volts * 1e3,
            "theta_fade": math.exp(-(self.shown_seconds + self.pause_seconds) / self.theta_seconds),
            "refractory": self.in_steps(self.refractory_seconds),
            "inhibitory_refractory": self.in_steps(self.inhibitory_refractory_seconds),
            "chance": self.hertz_per_level * step,
            # a conductance below this moves no membrane by as much as float32 can tell
            "least": 1e-6,
        }
