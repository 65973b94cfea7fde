"""`cyclegan`: from one set of images to another and back, without pairs."""

from zerosum.games.rules import CycleRules
from zerosum.spec import Player, Recipe, Stage

RECIPE = Recipe(
    name="cyclegan",
    title="Image to image between two unpaired sets",
    source="Zhu et al. 2017, arXiv 1703.10593, sections 4 and 7",
    notes=(
        "The paper's numbers: batch 1, Adam 2e-4 with (0.5, 0.999), least squares, cycle 10, identity half of that, a "
        "pool of 50 images, D's loss halved, 100 epochs and 100 more in which the rates fall to zero on a line.",
        "The paper takes 6 blocks up to 128 pixels and 9 from 256 on: `--set blocks=9`.",
        "Its identity term belongs to painting and photo; here it is on, `--set identity=0` leaves it out.",
        "Its squared error has no half, which LSGAN's, the loss here, has: hence an adversarial weight of 2.",
        "A plain CPU wants it narrower, and rates that fall within the hour: `--size 64 --set width=24 --set stages=[] "
        "--set schedule=linear --minutes 60`.",
        "Chosen: an epoch is as many steps as both sets have images together, over the batch.",
    ),
    data=None,
    inputs="domains",
    sizes=(28, 32, 64, 128, 256, 512),
    classes="required",
    flip=True,
    jitter=286 / 256,
    players={
        "G": Player(network="cyclegan-generators", args={"width": 64, "blocks": 6}),
        "D": Player(network="cyclegan-discriminators", args={"width": 64, "halvings": 3, "norm": "instance"}),
    },
    game=CycleRules(adversarial=2.0),
    batch=1,
    stages=(
        Stage(epochs=100.0),
        Stage(epochs=100.0, gradually={"lr": 0.0}),
    ),
    grid=8,
    score_images=5_000,
    exam_images=2_000,
    grid_epochs=5.0,
)
