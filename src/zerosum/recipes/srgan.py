"""`srgan`: four times as large, with details that a judge believes."""

from zerosum.games.rules import PairedRules
from zerosum.spec import Player, Recipe, Stage

RECIPE = Recipe(
    name="srgan",
    title="Super-resolution by a residual network and a judge",
    source="Ledig et al. 2016, arXiv 1609.04802, sections 2 and 3",
    notes=(
        "The paper's three stages: a million steps of squared error alone (its SRResNet), then 100,000 with the "
        "adversarial term times 1e-3 and the content of a feature network, and 100,000 more at a tenth of the rate; "
        "Adam 1e-4 with (0.9, 0.999), batch 16. `--set pace=0.01` makes all stages a hundredth as long.",
        "The paper's content is VGG's, whose weights would be a download: here it is that of the encoder, which learns "
        "from the user's own images in two minutes; `--set content_network=NAME` takes another one.",
        "The paper learns from random crops of 96 pixels of large images; here from whole squares of the images, "
        "shrunk to the size that is asked for: crop them first where they are much larger.",
        "Any source of images will do: `--data folder:PATH` means `--data upscale:folder:PATH`, four times as small.",
        "Small and large images lie in [-1, 1] alike, where the paper has the small ones in [0, 1].",
        "Where pretraining is short, content 1 draws dots: content 0.02 beside l2 1, and the rate of pretraining 5e-4.",
        "A plain CPU wants it narrower: `--set width=32 --set blocks=6`.",
    ),
    data=None,
    inputs="small",
    sizes=(32, 64, 96, 128, 256),
    flip=True,
    players={
        "G": Player(network="srgan-generator", args={"width": 64, "blocks": 16}, lr=1e-4, betas=(0.9, 0.999)),
        "D": Player(network="srgan-discriminator", args={"width": 64, "units": 1024}, lr=1e-4, betas=(0.9, 0.999)),
    },
    game=PairedRules(adversarial=0.0, l1=0.0, l2=1.0, d_scale=1.0),
    batch=16,
    stages=(
        Stage(steps=1_000_000),
        Stage(steps=100_000, changes={"adversarial": 1e-3, "content": 1.0, "l2": 0.0}),
        Stage(steps=100_000, changes={"lr": 1e-5}),
    ),
    best="swd",  # the distance to the partner would prefer the first stage, which nobody judges
    grid=8,
    score_images=5_000,
    exam_images=2_000,
    grid_epochs=5.0,
)
