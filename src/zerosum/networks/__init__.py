"""Networks by name, one file for each paper or tutorial, and in `layers` what three of them share.

Nothing is imported until a name is looked up.
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import TYPE_CHECKING

from zerosum.errors import UserError, nearest
from zerosum.registry import Registry

if TYPE_CHECKING:
    from torch import nn

    from zerosum.spec import Player
    from zerosum.types import Domain

__all__ = ["NETWORKS", "arguments", "build", "hears_classes"]

NETWORKS: Registry[type[nn.Module]] = Registry("network", "zerosum.networks")


def arguments(network: str) -> dict[str, object]:
    """What a network can be told besides its domain: each keyword with its default."""
    parameters = list(inspect.signature(NETWORKS[network]).parameters.values())[1:]
    return {parameter.name: parameter.default for parameter in parameters}


def build(player: Player, domain: Domain) -> nn.Module:
    """A player's network, freshly initialised from torch's random state, in float32 and in train mode.

    Kernels are laid out channels-last, and so is all that convolutions make of them: the faster way on every device.
    Under `with torch.device("meta")` it has shapes and no memory. `UserError` for an unknown network
    or argument, and for a domain that the network can't serve.
    """
    known = arguments(player.network)
    for name in player.args:
        if name not in known:
            raise UserError(f"network {player.network} has no argument {name!r}; {nearest(name, known)}")
    import torch

    try:
        network = NETWORKS[player.network](domain, **player.args)
    except ValueError as error:  # torch's own, such as a dropout above 1
        raise UserError(f"network {player.network} can't be built: {error}") from error
    return network.to(memory_format=torch.channels_last)  # type: ignore[no-any-return,call-overload]


def hears_classes(player: Player, domain: Domain) -> bool:
    """Whether its network is told of the domain's classes: whether it would be another one without. Nothing is made."""
    import torch

    def shapes(domain: Domain) -> dict[str, object]:
        return {name: value.shape for name, value in build(player, domain).state_dict().items()}

    with torch.device("meta"):
        try:
            return shapes(dataclasses.replace(domain, classes=None)) != shapes(domain)
        except UserError:  # it wants some
            return True
