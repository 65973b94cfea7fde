"""`pix2pixhd`: from an image to its partner at high resolution, from coarse to fine."""

from zerosum.games.rules import PairedRules
from zerosum.spec import Player, Recipe, Stage

RECIPE = Recipe(
    name="pix2pixhd",
    title="Image to image from pairs at high resolution, coarse to fine",
    source="Wang et al. 2017, arXiv 1711.11585, section 3",
    notes=(
        "The paper's numbers: batch 1, Adam 2e-4 with (0.5, 0.999), least squares, a judge at three scales, feature "
        "matching times 10, 100 epochs and 100 more in which rates fall to zero on a line, at half the size and then "
        "at the full one.",
        "Matching weighs as in the authors' code, four times the mean of the layers, and the mean of the scales; "
        "their squared error has no half, which LSGAN's, the loss here, has: hence an adversarial weight of 2. A "
        "perceptual term like the paper's is `--set content=10`: squares of one layer of the encoder, where the "
        "paper has distances in five of VGG's.",
        "Chosen: half of the epochs for the coarse network alone, and rates that fall in the second half; the paper "
        "trains the fine one alone before both. Maps of where objects end, and their features, are not here.",
        "The paper's images have 2048x1024 pixels and its global network four halvings. 128 pixels take `--set "
        "D.layers=2`, 64 `--set D.layers=1 --set halvings=3`. A plain CPU wants `--set width=16`.",
    ),
    data=None,
    inputs="pairs",
    sizes=(64, 128, 256, 512, 1024),
    flip=True,
    players={
        "G": Player(network="pix2pixhd-generator", args={"width": 32, "halvings": 4, "blocks": 9, "local_blocks": 3}),
        "D": Player(network="pix2pixhd-discriminator", args={"width": 64, "layers": 3, "scales": 3}),
    },
    game=PairedRules(loss="least-squares", l1=0.0, adversarial=2.0, matching=10.0, coarse=1),
    batch=1,
    stages=(
        Stage(epochs=100.0),
        Stage(epochs=100.0, changes={"coarse": 0}, gradually={"lr": 0.0}),
    ),
    best="swd",
    grid=8,
    score_images=5_000,
    exam_images=2_000,
    grid_epochs=5.0,
)
