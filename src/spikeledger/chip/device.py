"""What a network is placed on: the cores, the mesh and the times of one profile, which also prices what happens there."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass

from ..errors import ProfileError
from ..hardware.catalog import list_profiles, load_profile
from ..hardware.cores import Core, Mesh, Seconds
from ..hardware.profile import HardwareProfile
from ..mapping.mapped import Mapped, Population


@dataclass(frozen=True, eq=False)
class Device:
    """A profile that says what its cores hold."""

    profile: HardwareProfile
    core: Core
    mesh: Mesh
    seconds: Seconds | None = None

    @property
    def name(self) -> str:
        """The profile's."""
        return self.profile.name

    @property
    def title(self) -> str:
        """The profile's."""
        return self.profile.title

    def neuron_bytes(self, population: Population) -> float:
        """Bytes of one neuron: `neuron_bytes + (state variables - 1) x state_bits / 8`, where the chip counts any."""
        more = (population.state_variables - 1) * self.core.state_bits / 8
        return self.core.neuron_bytes + more if self.core.neuron_bytes else 0.0

    def memory_bytes(self, network: Mapped) -> float:
        """Bytes that a network takes: `neurons x bytes of a neuron + synapses x synapse_bytes`."""
        stored = network.stored_weights if self.core.shares_weights else network.synapses
        neurons = sum(each.size * self.neuron_bytes(each) for each in network.populations.values() if each.spiking)
        return neurons + stored * self.core.synapse_bytes

    def __repr__(self) -> str:
        return f"Device({self.name!r}, {self.title!r}, {self.mesh.cores:,} cores x {self.mesh.chips:,} chips)"


def load_device(name_or_path: str | os.PathLike[str] | HardwareProfile | Device) -> Device:
    """The chip of a profile, by its name, from a TOML file, or as it is.

    Raises:
        ProfileError: no such profile, or one that says nothing of cores.
    """
    if isinstance(name_or_path, Device):
        return name_or_path
    profile = load_profile(name_or_path)
    if profile.core is None or profile.mesh is None:
        raise ProfileError(
            f"'{profile.name}' is no chip to place a network on: nothing is known of its cores. Chips are "
            f"{', '.join(list_devices())}; [core] and [mesh] in a profile of your own make it one"
        )
    return Device(profile, profile.core, profile.mesh, profile.seconds)


@functools.cache
def list_devices() -> tuple[str, ...]:
    """Names of the profiles that are chips."""
    return tuple(name for name in list_profiles() if load_profile(name).core is not None)
