"""`stylegan2`: modulated kernels, skips, no growing (Karras et al. 2020, arXiv 1912.04958)."""

from zerosum.games.rules import PathRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="stylegan2",
    title="Style-based generator of modulated kernels",
    source="Karras et al. 2020, arXiv 1912.04958, configuration F and appendix B",
    notes=(
        "Non-saturating loss, R1 of weight 10 in every 16th turn of D, path lengths of weight 2 in every 4th of G, "
        "batch 32, average of G over 10,000 images. Rates are the paper's 2e-3 with (0, 0.99), each corrected for its "
        "interval k by k / (k + 1).",
        "Lazy terms are part of the turn's own step, where the authors' code takes a step of its own for them.",
        "R1's weight is for 1024 pixels; small images want less. A plain CPU wants it narrow at full size, a narrow "
        "network larger rates and as narrow a w: digits in half an hour of a core by `--size 32 --set width=64 --set "
        "full_to=8 --set w_dim=64 --set z_dim=64 --set depth=2 --batch 16 --lr 4e-3 --set r1=1 --set path_weight=0 "
        "--set mixing=0.5 --set schedule=cosine --set ema=0.998 --set classes=ignored`, faces in an hour by `--size 64 "
        "--set width=64 --set full_to=16`.",
        "With classes each of them fell to nearly one image in short runs: `--set classes=ignored`, or more time.",
    ),
    data="mnist",
    sizes=(28, 32, 64, 128, 256, 512, 1024),
    classes="optional",
    players={
        "G": Player(
            network="stylegan2-generator",
            args={"z_dim": 512, "w_dim": 512, "width": 512, "full_to": 64, "depth": 8, "mixing": 0.9},
            lr=1.6e-3,  # 2e-3 * 4 / 5
            betas=(0.0, 0.99199),  # 0.99^(4 / 5)
        ),
        "D": Player(
            network="stylegan2-discriminator",
            args={"width": 512, "full_to": 64},
            lr=1.88e-3,  # 2e-3 * 16 / 17
            betas=(0.0, 0.99059),  # 0.99^(16 / 17)
        ),
    },
    game=PathRules(loss="non-saturating", r1=10.0, penalty_every=16, view="two-batches"),
    batch=32,
    steps=780_000,  # 25 million images
    ema=0.99778,  # 0.5^(32 / 10,000)
)
