"""`wgan`: a critic with clipped weights estimates the Wasserstein distance (Arjovsky et al. 2017, arXiv 1701.07875)."""

from zerosum.games.rules import AdversarialRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="wgan",
    title="Wasserstein GAN with clipped weights",
    source="Arjovsky, Chintala and Bottou 2017, arXiv 1701.07875, Algorithm 1",
    notes=(
        "Algorithm 1's defaults: alpha 5e-5, c 0.01, m 64, n_critic 5, RMSprop; its smoothing of 0.99 is PyTorch's.",
        "The networks are DCGAN's, as in the paper, with batch norm in both; the critic's end is linear, and the "
        "weights that are clipped are all it has, batch norm's too.",
        "The authors' code gives the critic 100 turns in the first 25 steps and in every 500th; the paper doesn't.",
        "Chosen: digits instead of LSUN's bedrooms, 20,000 steps.",
    ),
    data="mnist",
    sizes=(28, 32, 64),
    players={
        "G": Player(
            network="dcgan-generator",
            args={"z_dim": 100, "width": 64, "conditioning": "embedding"},
            optimizer="rmsprop",
            lr=5e-5,
        ),
        "D": Player(
            network="dcgan-discriminator",
            args={"width": 64, "norm": "batch"},
            optimizer="rmsprop",
            lr=5e-5,
            clip=0.01,
        ),
    },
    game=AdversarialRules(loss="wasserstein", n_critic=5, view="two-batches", fakes="fresh"),
    batch=64,
    steps=20_000,
)
