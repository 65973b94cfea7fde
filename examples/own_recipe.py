"""A recipe of one's own, from registered networks: hinge loss with a penalty on D's gradient at real images."""

import zerosum
from zerosum import AdversarialRules, Player, Recipe

recipe = Recipe(
    name="mine",
    title="DCGAN's networks with hinge loss and R1",
    source="my own",
    data="digits",
    sizes=(28, 32, 64),
    players={
        "G": Player(network="dcgan-generator", args={"z_dim": 64, "width": 32}, lr=1e-3),
        "D": Player(network="dcgan-discriminator", args={"width": 32, "norm": "none"}, lr=1e-3),
    },
    game=AdversarialRules(loss="hinge", r1=1.0, penalty_every=4),
    batch=64,
    steps=2000,
    ema=0.995,
)
faster = recipe.override({"steps": 1000, "G.lr": 2e-3})  # the same names as `--set` on the command line

run = zerosum.train(faster)
print(run.path, run.end["reason"])
