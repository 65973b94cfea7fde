"""`quick-points`: 2-D points in three minutes, every mode of the ring and of the grid."""

from zerosum.games.rules import AdversarialRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="quick-points",
    title="Small and fast, for 2-D points: every mode",
    source="zerosum; loss and penalties of R3GAN, arXiv 2501.05441",
    notes=(
        "The game of `quick` with networks for points. What is off a mode lies on the bridges between two, for G is "
        "continuous: the longer the run, the steeper they are.",
        "The penalties are small, for D must tell points apart that are a hundredth of the ring's radius from each "
        "other; without them it loses modes. They are for the ring's scale: the grid, four times as wide and with more "
        "modes to share out evenly, wants `--set r1=0.02 --set r2=0.02 --set z_scale=1 --set depth=2`.",
        "The learning rate falls to zero over the run (cosine), so a run needs to know its length: three minutes.",
    ),
    data="ring",
    kind="points",
    players={
        "G": Player(
            network="points-generator",
            args={"z_dim": 2, "z_scale": 2.0, "width": 128, "depth": 3},
            lr=4e-3,
            betas=(0.0, 0.99),
        ),
        "D": Player(network="points-discriminator", args={"width": 128, "depth": 3}, lr=4e-3, betas=(0.0, 0.99)),
    },
    game=AdversarialRules(loss="relativistic", view="one-batch", r1=0.003, r2=0.003, penalty_every=4),
    batch=100,
    minutes=3,
    schedule="cosine",
    ema=0.999,
    grid_steps=5000,
    grid_epochs=None,
)
