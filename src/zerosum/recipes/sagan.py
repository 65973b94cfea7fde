"""`sagan`: attention between distant pixels, both networks normalized, two rates (Zhang et al. 2018, 1805.08318)."""

from zerosum.games.rules import AdversarialRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="sagan",
    title="Self-attention GAN",
    source="Zhang et al. 2018, arXiv 1805.08318",
    notes=(
        "Spectral normalization in both networks, self-attention at a quarter of the size, rates of 1e-4 for G and "
        "4e-4 for D at one turn each, Adam (0, 0.9), hinge loss, batch 256, classes by conditional batch norm and "
        "projection.",
        "The paper trains on ImageNet at 128 pixels for a million steps; here 100,000 are the default. A plain CPU "
        "wants it narrower, as in `--set width=16 --batch 64`.",
    ),
    data="mnist",
    sizes=(28, 32, 48, 64, 128),
    classes="optional",
    players={
        "G": Player(
            network="sagan-generator",
            args={"z_dim": 128, "width": 64, "conditioning": "batch-norm"},
            lr=1e-4,
            betas=(0.0, 0.9),
        ),
        "D": Player(
            network="sagan-discriminator", args={"width": 64, "conditioning": "projection"}, lr=4e-4, betas=(0.0, 0.9)
        ),
    },
    game=AdversarialRules(loss="hinge", view="two-batches", fakes="fresh"),
    batch=256,
    steps=100_000,
)
