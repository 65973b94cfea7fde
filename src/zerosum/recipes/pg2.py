"""`pg2`: a person in another pose, coarse at first and then refined."""

from zerosum.games.rules import PosedRules
from zerosum.spec import Player, Recipe, Stage

RECIPE = Recipe(
    name="pg2",
    title="A person in another pose, in two stages",
    source="Ma et al. 2017, arXiv 1705.09368, sections 3 and 4.2",
    notes=(
        "The paper's numbers for DeepFashion: 256 pixels, batch 8, Adam 2e-5 with (0.5, 0.999), 30,000 steps of G1 by "
        "the masked distance alone and 20,000 of G2 and D with G1 frozen, mirrored at random, where left joints become "
        "right ones. Market-1501's are `--batch 16` with stages of 22,000 and 14,000.",
        "Left open, and chosen: the distance weighs 10 beside the adversarial term (in the authors' code for "
        "Market-1501; 50 for DeepFashion), the bottleneck has 64 numbers, and 128 maps in the first block, 128 more "
        "in each one after it.",
        "Images lie whole in a square that repeats their edges, where the paper has Market-1501's 128x64 as they are. "
        "A joint's disc has the paper's 4 pixels from 128 on, and a 32nd of the side below.",
        "The paper covers the body by joining its parts and morphology; here limbs have half a width of a 16th of the "
        "side. Points other than 18 are joined one after the other, and the same in a mirror.",
        "A plain CPU wants it narrower, and learns faster: `--size 64 --set width=16 --lr 2e-4 --set pace=0.1`.",
    ),
    data=None,
    inputs="poses",
    sizes=(32, 64, 128, 256),
    flip=True,
    players={
        "G": Player(network="pg2-generator", args={"width": 128, "z_dim": 64}, lr=2e-5),
        "D": Player(network="pg2-discriminator", args={"width": 64}, lr=2e-5),
    },
    game=PosedRules(adversarial=0.0, l1=1.0),
    batch=8,
    stages=(
        Stage(steps=30_000),
        Stage(steps=20_000, changes={"part": 2, "adversarial": 1.0, "l1": 10.0}),
    ),
    best="swd",  # the distance to the partner would prefer the first stage, which nobody judges
    grid=8,
    score_images=5_000,
    grid_epochs=5.0,
)
