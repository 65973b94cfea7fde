"""`stylegan`: styles from a mapping network, on networks that grow (Karras et al. 2019, arXiv 1812.04948)."""

from zerosum.games.rules import GrowingRules
from zerosum.spec import Player, Recipe, Stage

HOLD = 600_000  # images on each size, and as many for its layers to fade in
RATES = {5: 1.5e-3, 6: 2e-3, 7: 3e-3, 8: 3e-3}  # from 128 pixels on, which the fifth doubling leads to

RECIPE = Recipe(
    name="stylegan",
    title="Style-based generator",
    source="Karras, Laine and Aila 2019, arXiv 1812.04948, table 1 (F) and appendix C",
    notes=(
        "Non-saturating loss with R1 of weight 10, Adam 1e-3 with (0, 0.99), a hundredth of that for the mapping "
        "network, styles of two z in 90% of the batches, average of G over 0.999. Growing begins at 8x8 pixels.",
        "The rate rises to 1.5e-3 at 128 pixels, 2e-3 at 256 and 3e-3 beyond, without a given `--lr`. The paper's "
        "batches of 256 down to 32 are 32 on all sizes.",
        "25 million images, as in the paper: 9 million in stages that grow, then 16 at full size; sizes below 1024 are "
        "reached early. A plain CPU wants it narrow at full size, in small batches and sooner grown, and a narrow "
        "network larger rates and as narrow a w: faces of 64 pixels in fifty minutes of a core by `--size 64 --set "
        "width=48 --set full_to=16 --set w_dim=64 --set z_dim=64 --set depth=2 --batch 16 --lr 4e-3 --set r1=1 --set "
        "penalty_every=8 --set pace=0.006 --set mixing=0 --set spread=1 --set schedule=cosine --set ema=0.998`.",
        "The constant begins at 1, and AdaIN divides what little differs in it, so each of many steps turns the whole "
        "pattern. Short runs draw more varied images with `--set spread=1`, as StyleGAN2's begins.",
        "`--psi` truncates all layers, where the paper leaves those beyond 32 pixels as they are.",
    ),
    data="mnist",
    sizes=(28, 32, 64, 128, 256, 512, 1024),
    classes="optional",
    players={
        "G": Player(
            network="stylegan-generator",
            args={"z_dim": 512, "w_dim": 512, "width": 512, "full_to": 32, "depth": 8, "mixing": 0.9, "spread": 0.0},
            lr=1e-3,
            betas=(0.0, 0.99),
        ),
        "D": Player(network="stylegan-discriminator", args={"width": 512, "full_to": 32}, lr=1e-3, betas=(0.0, 0.99)),
    },
    game=GrowingRules(loss="non-saturating", r1=10.0, view="two-batches", growth=1.0),
    batch=32,
    stages=(
        Stage(images=HOLD, changes={"growth": 1.0}),
        *(
            stage
            for growth in range(2, 9)
            for stage in (
                Stage(
                    images=HOLD,
                    changes={"lr": RATES[growth]} if growth in RATES else {},
                    gradually={"growth": growth},
                ),
                Stage(images=HOLD),
            )
        ),
        Stage(images=16_000_000),
    ),
    ema=0.999,
)
