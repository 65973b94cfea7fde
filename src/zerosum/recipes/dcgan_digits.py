"""`dcgan-digits`: one DCGAN for all digits, or one for each with `--per-class`, from a Vietnamese course report."""

from zerosum.games.rules import AdversarialRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="dcgan-digits",
    title="DCGAN on digits, all in one model or one model for each",
    source=(
        "course report on GANs by Trần Thanh Nguyên and Nguyễn Chí Cường (handwritten digits); DCGAN, arXiv 1511.06434"
    ),
    notes=(
        "The report gives no layers but that they are convolutional; chosen: DCGAN's for 28 pixels, a 7x7 base and two "
        "doublings, with the kernels and the initialisation of `dcgan-faces`.",
        "Chosen too: batch 64. Inferred: its 5,000 epochs are steps, and D's loss is the mean of its two parts.",
        "The authors end with losses D 0.593 and G 0.833.",
        "`--per-class` trains one model for each label, of 1,000 steps each, as the report's.",
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
    game=AdversarialRules(d_scale=0.5, view="two-batches", fakes="fresh"),
    batch=64,
    steps=5_000,
    fleet_steps=1_000,
)
