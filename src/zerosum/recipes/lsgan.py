"""`lsgan`: least squares instead of cross-entropy (Mao et al. 2016, arXiv 1611.04076)."""

from zerosum.games.rules import AdversarialRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="lsgan",
    title="Least squares GAN",
    source="Mao et al. 2016, arXiv 1611.04076, Eq. 2 with (a, b, c) as in Eq. 9",
    notes=(
        "(a, b, c) = (0, 1, 1) is the paper's 0-1 coding (Eq. 9), with which it made its pictures; the other choice, "
        "which minimises Pearson's chi-squared divergence (Eq. 8), is `--set labels=-1,1,0`.",
        "The paper draws scenes of 112x112 pixels and characters with networks of its own; these are DCGAN's.",
        "Adam's 2e-4 with beta1 0.5 are the paper's for handwritten characters. Chosen: batch 64, 10,000 steps.",
    ),
    data="mnist",
    sizes=(28, 32, 64),
    players={
        "G": Player(
            network="dcgan-generator",
            args={"z_dim": 100, "width": 64, "conditioning": "embedding"},
            lr=2e-4,
            betas=(0.5, 0.999),
        ),
        "D": Player(network="dcgan-discriminator", args={"width": 64, "norm": "batch"}, lr=2e-4, betas=(0.5, 0.999)),
    },
    game=AdversarialRules(loss="least-squares", labels=(0.0, 1.0, 1.0), view="two-batches", fakes="fresh"),
    batch=64,
    steps=10_000,
)
