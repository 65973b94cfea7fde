"""`gan`: the original, on images and on 2-D points (Goodfellow et al. 2014, arXiv 1406.2661)."""

from zerosum.games.rules import AdversarialRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="gan",
    title="The original GAN, on digits or 2-D points",
    source="Goodfellow et al. 2014, arXiv 1406.2661, Algorithm 1",
    notes=(
        "G's loss is -log D(G(z)), which the paper recommends for the beginning; the minimax game itself, where G "
        "minimises log(1 - D(G(z))), is `--set loss=saturating`. The paper's k is `--set n_critic=2`; it used 1.",
        "For images the networks are those of the code that the authors published: rectifiers in G, maxout and "
        "dropout in D, batch 100. For points (`--data ring`, `--data grid`): z of two dimensions and two hidden "
        "layers of 128 in both players.",
        "Chosen: Adam with beta1 0.5, 2e-4 for G and 1e-4 for D, instead of SGD with growing momentum; the "
        "length. G begins at grey, where that code begins at each pixel's mean.",
    ),
    data="mnist",
    kind="any",
    sizes=(28, 32, 64),
    value_range=(0.0, 1.0),
    players={
        "G": Player(
            network="gan-generator",
            args={"z_dim": 100, "width": 1200, "points_z_dim": 2, "points_width": 128},
            lr=2e-4,
            betas=(0.5, 0.999),
        ),
        "D": Player(
            network="gan-discriminator",
            args={"units": 240, "pieces": 5, "input_dropout": 0.2, "dropout": 0.5, "points_width": 128},
            lr=1e-4,
            betas=(0.5, 0.999),
        ),
    },
    game=AdversarialRules(loss="non-saturating", view="two-batches", fakes="fresh"),
    batch=100,
    steps=20_000,
)
