"""`stackgan`: from a text to an image, in two stages."""

from zerosum.games.rules import DescribedRules
from zerosum.spec import Player, Recipe, Stage

RATES = (2e-4, 1e-4, 5e-5, 2.5e-5, 1.25e-5, 6.25e-6)  # halved every 100 epochs
EMBEDDING = 1024

RECIPE = Recipe(
    name="stackgan",
    title="Text to image in two stages",
    source="Zhang et al. 2016, arXiv 1612.03242, sections 3 and 4.3",
    notes=(
        "The paper's numbers: 256 pixels from 64, z 100, conditions of 128 numbers, texts of 128 in D, Adam 2e-4 "
        "halved every 100 epochs, batch 64, 600 epochs of Stage I and, with that as it is, 600 of Stage II.",
        "The paper takes a text encoder that was trained before, with a pretrained GoogLeNet (1605.05396); "
        "here it learns in a stage of its own, from the user's own images and captions, by the same loss.",
        "Chosen: 40 epochs of that stage at 1e-3, the widths of the paper's figures that it does not tell, D's "
        "first momentum 0.5, and the divergence of conditions as a mean over their numbers, so that its weight of 1 "
        "does not silence the text.",
        "Nothing is mirrored, since captions may say left and right; `--set flip=true` where they don't.",
        "All stages shorter, and a plain CPU narrower: `--set pace=0.01 --set width=32 --set embedding=128 "
        "--set units=64 --set condition=32 --set compressed=32 --set blocks=1`. An average of G, `--set ema=0.998`, "
        "has half an hour of digits read as asked 93 times of 100; without one it was 82.",
    ),
    data="captions:mnist",
    captions="required",
    sizes=(64, 128, 256),
    players={
        "G": Player(
            network="stackgan-generator",
            args={
                "z_dim": 100,
                "width": 128,
                "blocks": 4,
                "condition": 128,
                "units": 256,
                "embedding": EMBEDDING,
            },
        ),
        "D": Player(network="stackgan-discriminator", args={"width": 64, "compressed": 128, "embedding": EMBEDDING}),
    },
    game=DescribedRules(),
    batch=64,
    stages=(
        Stage(epochs=40.0, changes={"stage": 0, "lr": 1e-3}),
        *(Stage(epochs=100.0, changes={"stage": 1, "lr": rate}) for rate in RATES),
        *(Stage(epochs=100.0, changes={"stage": 2, "lr": rate}) for rate in RATES),
    ),
    grid=64,
)
