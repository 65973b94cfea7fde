"""`infogan`: codes that nobody labels, found again by D (Chen et al. 2016, arXiv 1606.03657)."""

from zerosum.games.rules import InformedRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="infogan",
    title="GAN whose codes are found again: classes, slant and width without labels",
    source="Chen et al. 2016, arXiv 1606.03657, section 7 and appendix C.1",
    notes=(
        "The paper's networks and rates for MNIST: Adam 2e-4 for D and 1e-3 for G, beta1 0.5, 62 numbers of noise, a "
        "code of ten categories and two continuous ones.",
        "The category's information weighs 1; the continuous codes' less, as the paper asks for; chosen: 0.1. The "
        "authors' script has 1 for both.",
        "Chosen: batch 128 and 50 epochs.",
    ),
    data="mnist",
    sizes=(28, 32, 64),
    value_range=(0.0, 1.0),
    players={
        "G": Player(
            network="infogan-generator",
            args={"noise": 62, "categories": 10, "continuous": 2, "width": 64},
            lr=1e-3,
        ),
        "D": Player(network="infogan-discriminator", args={"categories": 10, "continuous": 2, "width": 64}),
    },
    game=InformedRules(view="two-batches", fakes="fresh"),
    batch=128,
    epochs=50,
    grid=100,
)
