"""`quick`: the project's own recipe for a plain CPU, digits in two minutes on two cores."""

from zerosum.games.rules import AdversarialRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="quick",
    title="Small and fast, for any images and a plain CPU",
    source="zerosum; loss and penalties of R3GAN, arXiv 2501.05441",
    notes=(
        "Small steps at a high rate decide on a CPU: batch 64 at 4e-3 is far ahead of batch 128 at 1e-3 after the same "
        "time. Twice that rate is as good on digits, and bad on 64x64 faces.",
        "The learning rate falls to zero over the run (cosine), so a run needs to know its length: two minutes.",
        "After 500,000 images it also falls by an inverse square root: kept near 4e-3 beyond 700,000, D goes blind.",
        "Where the data has classes both networks use them, and the two of a pair are of one class: that helps more "
        "than anything else. `--set classes=ignored` trains without.",
    ),
    data="digits",
    sizes=(28, 32, 36, 40, 44, 48, 52, 56, 60, 64),
    classes="optional",
    players={
        "G": Player(network="quick-generator", args={"z_dim": 64, "width": 32}, lr=4e-3, betas=(0.0, 0.99)),
        "D": Player(network="quick-discriminator", args={"width": 16}, lr=4e-3, betas=(0.0, 0.99)),
    },
    game=AdversarialRules(loss="relativistic", view="one-batch", r1=0.1, r2=0.1, penalty_every=16),
    batch=64,
    minutes=2,
    schedule="cosine",
    lr_images=500_000,
    ema=0.995,
    grid_steps=250,
    grid_epochs=None,
)
