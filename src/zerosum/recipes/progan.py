"""`progan`: networks that grow from 4x4 pixels (Karras et al. 2018, arXiv 1710.10196)."""

from zerosum.games.rules import GrowingRules
from zerosum.spec import Player, Recipe, Stage

HOLD = 800_000  # images on each size, and as many for its layers to fade in

RECIPE = Recipe(
    name="progan",
    title="Progressive growing of both networks",
    source="Karras et al. 2018, arXiv 1710.10196, section 2 to 4, table 2 and appendix A",
    notes=(
        "WGAN-GP with weight 10 and a drift of 0.001, one turn of D for one of G, Adam 1e-3 with (0, 0.99), average of "
        "G over 0.999; 800,000 images on 4x4 pixels, then for each doubling 800,000 fading in and 800,000 to settle.",
        "The paper's batch of 16 on all sizes; its smaller ones beyond 128 pixels are for the memory of its GPUs.",
        "Sizes below 1024 are reached early, and what is left of the schedule is trained at full size. A plain CPU "
        "wants it narrower and faster, as in `--set width=64 --set pace=0.02`: every stage at a fiftieth.",
    ),
    data="mnist",
    sizes=(28, 32, 64, 128, 256, 512, 1024),
    players={
        "G": Player(
            network="progan-generator", args={"z_dim": 512, "width": 512, "full_to": 32}, lr=1e-3, betas=(0.0, 0.99)
        ),
        "D": Player(network="progan-discriminator", args={"width": 512, "full_to": 32}, lr=1e-3, betas=(0.0, 0.99)),
    },
    game=GrowingRules(loss="wasserstein", gp=10.0, drift=1e-3, view="two-batches", growth=0.0),
    batch=16,
    stages=(
        Stage(images=HOLD, changes={"growth": 0.0}),
        *(
            stage
            for growth in range(1, 9)
            for stage in (Stage(images=HOLD, gradually={"growth": growth}), Stage(images=HOLD))
        ),
    ),
    ema=0.999,
)
