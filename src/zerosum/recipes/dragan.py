"""`dragan`: a gradient penalty around real images, not between real and fake (Kodali et al. 2017, arXiv 1705.07215)."""

from zerosum.games.rules import AdversarialRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="dragan",
    title="GAN with a gradient penalty around real images",
    source="Kodali et al. 2017, arXiv 1705.07215, Algorithm 1",
    notes=(
        "The penalty is taken between a real image and itself with uniform noise of up to half the deviation of the "
        "batch, as in the authors' code (the paper's noise is Gaussian), lambda 10, one turn of D for one of G; Adam "
        "1e-4 with (0.5, 0.9) and batch 64 as there.",
        "The paper tries DCGAN among its architectures; here without batch norm in D, since the penalty is a sample's "
        "own. Chosen: 20,000 steps.",
    ),
    data="mnist",
    sizes=(28, 32, 64),
    players={
        "G": Player(
            network="dcgan-generator",
            args={"z_dim": 100, "width": 64, "conditioning": "embedding"},
            lr=1e-4,
            betas=(0.5, 0.9),
        ),
        "D": Player(network="dcgan-discriminator", args={"width": 64, "norm": "none"}, lr=1e-4, betas=(0.5, 0.9)),
    },
    game=AdversarialRules(gp=10.0, gp_at="around-real", view="two-batches", fakes="fresh"),
    batch=64,
    steps=20_000,
)
