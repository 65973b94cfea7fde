"""`pix2pix`: from an image to its partner, by a U-Net and a judge of patches."""

from zerosum.games.rules import PairedRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="pix2pix",
    title="Image to image from pairs, U-Net and PatchGAN",
    source="Isola et al. 2016, arXiv 1611.07004, sections 3 and 6",
    notes=(
        "The paper's numbers: batch 1, Adam 2e-4 with (0.5, 0.999), L1 times 100, D's loss halved, dropout as G's only "
        "noise, 200 epochs, images enlarged from 256 to 286 pixels and cropped at random, mirrored at random.",
        "Norms are over each image, which at the paper's batch of 1 is what its batch norm does (in D without scales "
        "and shifts); `--set G.norm=batch --set D.norm=batch` takes the other.",
        "A plain CPU wants it narrower: `--set width=16`; `--set adversarial=0` is the L1-only baseline.",
        "`--set direction=B2A` goes from the right half to the left.",
    ),
    data=None,
    inputs="pairs",
    sizes=(32, 64, 128, 256, 512),
    flip=True,
    jitter=286 / 256,
    players={
        "G": Player(network="unet-generator", args={"width": 64, "norm": "instance", "dropout": 0.5}),
        "D": Player(network="patchgan", args={"width": 64, "halvings": 3, "norm": "instance", "paired": True}),
    },
    game=PairedRules(),
    batch=1,
    epochs=200,
    grid=8,
    score_images=5_000,
    exam_images=2_000,
    grid_epochs=5.0,
)
