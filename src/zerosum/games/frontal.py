"""A face from the side becomes one from the front: what G descends in TP-GAN (Huang et al. 2017, arXiv 1704.04086)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.errors import UserError
from zerosum.games import GAMES
from zerosum.games.base import Draws, Move, Terms, Turn
from zerosum.games.paired import Paired
from zerosum.games.rules import FrontalRules


@GAMES.register("frontal")
class Frontal(Paired):
    """The game of pairs whose identities are known; G has a method `views(given)` that gives all that it makes."""

    rules: FrontalRules

    def __init__(self, networks: Mapping[str, nn.Module], rules: FrontalRules) -> None:
        if not hasattr(networks["G"], "views"):
            raise UserError(
                "this generator makes one image alone: game frontal wants a network such as tp-gan-generator"
            )
        super().__init__(networks, rules)

    def turns(self, step: int, batch: int, draws: Draws, observe: bool) -> Iterator[Turn]:
        """D's turn and G's, on the same faces and what G makes of them."""
        given, real, y = draws.known_pairs(batch)
        views = cast(Any, self.networks["G"]).views(given)
        if self.rules.adversarial:
            yield Turn(player="D", moves=partial(self.play_d, given, real, views.image.detach(), observe))
        yield Turn(player="G", moves=partial(self.play_views, given, real, y, views, observe))

    def play_views(self, given: Tensor, real: Tensor, y: Tensor, views: Any, observe: bool) -> Iterator[Move]:
        """G's turn: its terms of the image, of smaller ones, of patches and of the identity (Eqs. 2 to 8)."""
        rules, image = self.rules, views.image
        terms, seen = self.by_d(given, real, image, observe) if rules.adversarial else ({}, {})
        terms |= self.likeness(real, views)
        if rules.symmetry:
            terms["G/symmetry"] = rules.symmetry * (asymmetry(image) + asymmetry(laplacian(image)))
        if rules.tv:
            terms["G/tv"] = rules.tv * variation(image)
        if rules.identity:
            terms["G/identity"] = rules.identity * F.cross_entropy(views.named, y)
        yield Move(terms=terms, seen=seen)

    def likeness(self, real: Tensor, views: Any) -> Terms:
        """The pixels of every image and patch beside the real ones, and a feature network's maps of the image."""
        rules, terms = self.rules, {}
        if rules.l1:
            gaps = [(views.image - real).abs().mean()]
            gaps += [(one - F.adaptive_avg_pool2d(real, one.shape[-1])).abs().mean() for one in views.smaller]
            parts = []
            for patch, (top, left) in zip(views.patches, views.corners, strict=True):
                wanted = real[:, :, top : top + patch.shape[2], left : left + patch.shape[3]]
                parts.append((patch - wanted).abs().mean())
            terms["G/l1"] = rules.l1 * (torch.stack(gaps).sum() + torch.stack(parts).mean())
        if rules.l2:
            terms["G/l2"] = rules.l2 * (views.image - real).square().mean()
        if rules.content:
            assert self.features is not None
            with torch.no_grad():
                known = self.features(real)
            terms["G/content"] = rules.content * (self.features(views.image) - known).abs().mean()
        return terms


def asymmetry(x: Tensor) -> Tensor:
    """The mean absolute difference of (N, C, H, W) to its mirror image (Eq. 4)."""
    half = x.shape[-1] // 2
    return (x[..., :half] - x[..., -half:].flip(-1)).abs().mean()


def laplacian(x: Tensor) -> Tensor:
    """Each pixel's difference to the mean of its four neighbours: (N, C, H, W) to (N, C, H - 2, W - 2)."""
    around = x[..., :-2, 1:-1] + x[..., 2:, 1:-1] + x[..., 1:-1, :-2] + x[..., 1:-1, 2:]
    return x[..., 1:-1, 1:-1] - around / 4


def variation(x: Tensor) -> Tensor:
    """The mean absolute difference of neighbours, of those below and of those beside each other (Eq. 8)."""
    return (x[..., 1:, :] - x[..., :-1, :]).abs().mean() + (x[..., 1:] - x[..., :-1]).abs().mean()
