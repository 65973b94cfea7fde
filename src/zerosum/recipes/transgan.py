"""`transgan`: two transformers, no convolution (Jiang, Chang and Wang 2021, arXiv 2102.07074)."""

from zerosum.games.rules import AdversarialRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="transgan",
    title="GAN of two transformers, without convolutions",
    source="Jiang, Chang and Wang 2021, arXiv 2102.07074",
    notes=(
        "The paper's training: WGAN-GP, Adam 1e-4 with (0, 0.99), five turns of D for one of G (in the authors' script "
        "four), batches of 128 for G and 64 for D, an average of G of 0.9999, DiffAugment's three augmentations, "
        "relative positions in every attention.",
        "Widths and depths are those of its small model, 384 numbers and 5, 2 and 2 blocks; D has 7 of 384.",
        "Without two more terms of the authors' script: 1e-3 times D's squared mean (`--set drift=1e-3` is near it) "
        "and gradients clipped at a norm of 5.",
        "Layer norm and one D, as in the paper's first version; its later ones have another norm and a D of several "
        "scales.",
        "Chosen: 100,000 steps. A plain CPU wants `--set width=64 --set D.depth=3 --batch 32`; at 64 and 256 pixels a "
        "width of 256 is the least. At 256 pixels the authors' G has `--set G.width=1024`.",
    ),
    data="mnist",
    sizes=(28, 32, 48, 64, 128, 256),
    players={
        "G": Player(
            network="transgan-generator",
            args={"z_dim": 128, "width": 384, "first": 5, "later": 2, "last": 2, "heads": 4},
            lr=1e-4,
            betas=(0.0, 0.99),
        ),
        "D": Player(
            network="transgan-discriminator",
            args={"width": 384, "depth": 7, "heads": 4},
            lr=1e-4,
            betas=(0.0, 0.99),
        ),
    },
    game=AdversarialRules(
        loss="wasserstein",
        n_critic=5,
        d_share=0.5,
        gp=10.0,
        view="two-batches",
        fakes="fresh",
        augment=("colour", "translation", "cutout"),
    ),
    batch=128,
    steps=100_000,
    ema=0.9999,
    ema_ramp=True,
)
