"""`wgan-gp`: a Wasserstein critic with a gradient penalty (Gulrajani et al. 2017, arXiv 1704.00028)."""

from zerosum.games.rules import AdversarialRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="wgan-gp",
    title="Wasserstein GAN with a gradient penalty",
    source="Gulrajani et al. 2017, arXiv 1704.00028, Algorithm 1",
    notes=(
        "Algorithm 1's defaults: lambda 10, n_critic 5, Adam 1e-4 with (0, 0.9).",
        "Without batch norm in the critic, since its penalty is a sample's own; the paper names layer norm as the "
        "replacement: `--set norm=layer`.",
        "The paper tries DCGAN among its architectures; these are DCGAN's networks, on digits. Chosen: batch 64, "
        "10,000 steps.",
    ),
    data="mnist",
    sizes=(28, 32, 64),
    players={
        "G": Player(
            network="dcgan-generator",
            args={"z_dim": 100, "width": 64, "conditioning": "embedding"},
            lr=1e-4,
            betas=(0.0, 0.9),
        ),
        "D": Player(network="dcgan-discriminator", args={"width": 64, "norm": "none"}, lr=1e-4, betas=(0.0, 0.9)),
    },
    game=AdversarialRules(loss="wasserstein", n_critic=5, gp=10.0, view="two-batches", fakes="fresh"),
    batch=64,
    steps=10_000,
)
