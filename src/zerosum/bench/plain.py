"""The loops that PyTorch tutorials write, for the tutorials' networks: the peer of every claim about speed.

Nothing here is clever on purpose: torch's own layers, a sigmoid and `BCELoss`, `backward` through all of D in G's turn,
numbers read at every step. Weights are laid out as in zerosum's networks, so that both can start from the same ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from zerosum.games.rules import AdversarialRules
from zerosum.spec import Recipe


class Chance(Protocol):
    """Where a loop's batches and noise come from."""

    def real(self, count: int) -> tuple[Tensor, Tensor | None]: ...

    def noise(self, count: int) -> Tensor: ...


class Memory:
    """Images in memory, drawn with replacement, and noise."""

    def __init__(self, images: Tensor, z_dim: int) -> None:
        """images: (N, C, H, W), as D is to see them."""
        self.images, self.z_dim = images, z_dim

    def real(self, count: int) -> tuple[Tensor, Tensor | None]:
        chosen = torch.randint(len(self.images), (count,), device=self.images.device)
        return self.images[chosen], None

    def noise(self, count: int) -> Tensor:
        return torch.randn(count, self.z_dim, dtype=self.images.dtype, device=self.images.device)


class Crop(nn.Module):
    """Without the last row and column: what Keras' "same" cuts from a transposed convolution of kernel 3."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :-1, :-1]


def mlp(dropout: float | None) -> tuple[nn.Module, nn.Module]:
    """G and D of the course exercise."""
    layers: list[nn.Module] = [nn.Linear(100, 128), nn.LeakyReLU(0.2)]
    for width in (128, 256, 512):
        layers += [nn.Linear(width, 2 * width), nn.BatchNorm1d(2 * width), nn.LeakyReLU(0.2)]
    G = nn.Sequential(*layers, nn.Linear(1024, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))
    D = nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 512),
        nn.LeakyReLU(0.2),
        nn.Linear(512, 256),
        nn.LeakyReLU(0.2),
        nn.Linear(256, 1),
        nn.Sigmoid(),
    )
    return G, D


def dcgan_lite(dropout: float | None) -> tuple[nn.Module, nn.Module]:
    """G and D of the tutorial without batch norm."""
    G = nn.Sequential(
        nn.Linear(100, 7 * 7 * 128),
        nn.LeakyReLU(0.2),
        nn.Unflatten(1, (128, 7, 7)),
        nn.ConvTranspose2d(128, 128, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(128, 128, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(128, 1, 7, padding=3),
        nn.Sigmoid(),
    )
    layers: list[nn.Module] = []
    for channels in (1, 64):
        layers += [nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(channels, 64, 3, 2), nn.LeakyReLU(0.2)]
        layers.append(nn.Dropout(0.4 if dropout is None else dropout))
    return G, nn.Sequential(*layers, nn.Flatten(), nn.Linear(7 * 7 * 64, 1), nn.Sigmoid())


def dcgan_k2(dropout: float | None) -> tuple[nn.Module, nn.Module]:
    """G and D of the k-step tutorial."""
    G = nn.Sequential(
        nn.Linear(100, 7 * 7 * 64),
        nn.LeakyReLU(0.3),
        nn.Unflatten(1, (64, 7, 7)),
        nn.ConvTranspose2d(64, 64, 3, 2),
        Crop(),
        nn.LeakyReLU(0.3),
        nn.ConvTranspose2d(64, 32, 3, 2),
        Crop(),
        nn.LeakyReLU(0.3),
        nn.ZeroPad2d((13, 14, 13, 14)),
        nn.Conv2d(32, 1, 28),
        nn.Sigmoid(),
    )
    D = nn.Sequential(
        nn.ZeroPad2d((0, 1, 0, 1)),
        nn.Conv2d(1, 32, 3, 2),
        nn.LeakyReLU(0.3),
        nn.Dropout(0.4 if dropout is None else dropout),
        nn.ZeroPad2d((0, 1, 0, 1)),
        nn.Conv2d(32, 64, 3, 2),
        nn.LeakyReLU(0.3),
        nn.Flatten(),
        nn.Linear(7 * 7 * 64, 1),
        nn.Sigmoid(),
    )
    return G, D


def dcgan_smooth(dropout: float | None) -> tuple[nn.Module, nn.Module]:
    """G and D of the tutorial with smoothed labels."""
    G = nn.Sequential(
        nn.Linear(100, 7 * 7 * 512),
        nn.ReLU(),
        nn.Unflatten(1, (512, 7, 7)),
        nn.BatchNorm2d(512, eps=1e-3, momentum=0.01),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(512, 256, 3, 2, bias=False),
        Crop(),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(256, 128, 4, 2, 1, bias=False),
        nn.BatchNorm2d(128, eps=1e-3, momentum=0.01),
        nn.LeakyReLU(0.2),
        nn.Conv2d(128, 1, 5, padding=2, bias=False),
        nn.Tanh(),
    )
    D = nn.Sequential(
        nn.ZeroPad2d((1, 2, 1, 2)),
        nn.Conv2d(1, 512, 5, 2),
        nn.LeakyReLU(0.2),
        nn.Dropout(0.3 if dropout is None else dropout),
        nn.ZeroPad2d((0, 1, 0, 1)),
        nn.Conv2d(512, 256, 3, 2),
        nn.LeakyReLU(0.2),
        nn.Conv2d(256, 128, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(7 * 7 * 128, 1),
        nn.Sigmoid(),
    )
    return G, D


def dcgan_faces(dropout: float | None) -> tuple[nn.Module, nn.Module]:
    """G and D of PyTorch's own tutorial, at 64 pixels."""
    layers: list[nn.Module] = [nn.Unflatten(1, (100, 1, 1)), nn.ConvTranspose2d(100, 512, 4, bias=False)]
    for channels in (512, 256, 128):
        layers += [nn.BatchNorm2d(channels), nn.ReLU()]
        layers.append(nn.ConvTranspose2d(channels, channels // 2, 4, 2, 1, bias=False))
    layers += [nn.BatchNorm2d(64), nn.ReLU(), nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False), nn.Tanh()]
    judges: list[nn.Module] = [nn.Conv2d(3, 64, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
    for channels in (64, 128, 256):
        judges.append(nn.Conv2d(channels, 2 * channels, 4, 2, 1, bias=False))
        judges += [nn.BatchNorm2d(2 * channels), nn.LeakyReLU(0.2)]
    D = nn.Sequential(*judges, nn.Conv2d(512, 1, 4, bias=False), nn.Flatten(), nn.Sigmoid())
    return nn.Sequential(*layers), D


class Loop:
    """A tutorial's training: `step` is one iteration of its loop."""

    def __init__(self, recipe: Recipe, *, dropout: float | None = None) -> None:
        """The loop of that recipe's tutorial; `dropout` in place of its own."""
        make, self.play = LOOPS[recipe.name]
        assert isinstance(recipe.game, AdversarialRules)
        self.recipe, self.rules = recipe, recipe.game
        self.batch, self.number = recipe.batch, 0
        self.G, self.D = make(dropout)
        self.loss = nn.BCELoss()
        self.told: dict[str, float] = {}
        self.prepare()

    def prepare(self) -> None:
        """Optimizers for the networks as they are: after a change of type or device."""
        G, D = self.recipe.players["G"], self.recipe.players["D"]
        self.g_step = torch.optim.Adam(self.G.parameters(), lr=G.lr, betas=G.betas, eps=G.eps)
        self.d_step = torch.optim.Adam(self.D.parameters(), lr=D.lr, betas=D.betas, eps=D.eps)

    def step(self, chance: Chance) -> None:
        self.number += 1
        self.play(self, chance)

    def aims(self, said: Tensor, target: float) -> Tensor:
        """The loss of D's probabilities against one label for all."""
        loss: Tensor = self.loss(said, torch.full_like(said, target))
        return loss


def play_joined(loop: Loop, chance: Chance) -> None:
    """D on half a batch of real and as many fakes in one, at every k-th step; then G on fresh noise."""
    half = loop.batch // 2
    if loop.number % loop.rules.d_every == 0:
        x = torch.cat([chance.real(half)[0], loop.G(chance.noise(half)).detach()])
        y = torch.cat([torch.ones(half, 1), torch.zeros(half, 1)]).to(x)
        loop.d_step.zero_grad()
        d_loss = loop.loss(loop.D(x), y)
        d_loss.backward()
        loop.d_step.step()
        loop.told["D"] = d_loss.item()
    loop.g_step.zero_grad()
    g_loss = loop.aims(loop.D(loop.G(chance.noise(loop.batch))), 1.0)
    g_loss.backward()
    loop.g_step.step()
    loop.told["G"] = g_loss.item()


def play_smooth(loop: Loop, chance: Chance) -> None:
    """A step of D on real and one on fakes, with softened labels, then one of G on the same noise."""
    real, z = chance.real(loop.batch)[0], chance.noise(loop.batch)
    loop.G.eval()
    with torch.no_grad():
        fake = loop.G(z)
    loop.G.train()
    for images, label in ((real, 0.9), (fake, 0.1)):
        loop.d_step.zero_grad()
        loop.aims(loop.D(images), label).backward()
        loop.d_step.step()
    loop.g_step.zero_grad()
    loop.aims(loop.D(loop.G(z)), 0.9).backward()
    loop.g_step.step()


def play_g_first(loop: Loop, chance: Chance) -> None:
    """G, then D on the real images and on the same fakes."""
    real = chance.real(loop.batch)[0]
    loop.g_step.zero_grad()
    fake = loop.G(chance.noise(loop.batch))
    g_loss = loop.aims(loop.D(fake), 1.0)
    g_loss.backward()
    loop.g_step.step()
    loop.d_step.zero_grad()
    d_loss = (loop.aims(loop.D(real), 1.0) + loop.aims(loop.D(fake.detach()), 0.0)) / 2
    d_loss.backward()
    loop.d_step.step()
    loop.told = {"D": d_loss.item(), "G": g_loss.item()}


def play_d_first(loop: Loop, chance: Chance) -> None:
    """D on real images and on fakes in two passes, then G on the same fakes."""
    loop.D.zero_grad()
    said = loop.D(chance.real(loop.batch)[0])
    on_real = loop.aims(said, 1.0)
    on_real.backward()
    fake = loop.G(chance.noise(loop.batch))
    said_before = loop.D(fake.detach())
    on_fake = loop.aims(said_before, 0.0)
    on_fake.backward()
    loop.d_step.step()
    loop.G.zero_grad()
    said_after = loop.D(fake)
    g_loss = loop.aims(said_after, 1.0)
    g_loss.backward()
    loop.g_step.step()
    loop.told = {"D": (on_real + on_fake).item(), "G": g_loss.item(), "D(x)": said.mean().item()}
    loop.told |= {"before": said_before.mean().item(), "after": said_after.mean().item()}


Make = Callable[[float | None], tuple[nn.Module, nn.Module]]
LOOPS: dict[str, tuple[Make, Callable[[Loop, Chance], None]]] = {
    "mlp": (mlp, play_g_first),
    "dcgan-smooth": (dcgan_smooth, play_smooth),
    "dcgan-lite": (dcgan_lite, play_joined),
    "dcgan-k2": (dcgan_k2, play_joined),
    "dcgan-faces": (dcgan_faces, play_d_first),
}
