"""`discogan`: relations between two sets of images, found without pairs."""

from zerosum.games.rules import CycleRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="discogan",
    title="Cross-domain relations by two reconstructions",
    source="Kim et al. 2017, arXiv 1703.05192, sections 2.3 and 3.1",
    notes=(
        "The paper's numbers: 64 pixels, batch 200, Adam 2e-4 with (0.5, 0.999), weight decay 1e-4, cross-entropy, the "
        "squared distance of the two-way trip with weight 1, no pool and no identity term.",
        "Images lie in [0, 1] and G ends with a sigmoid, as in the authors' code; D's loss is halved there.",
        "The authors' code differs from the paper: beside D's word of 1 it weighs the trip 10 times and a matching of "
        "D's features 9 times, after 10,000 steps with next to no trip, and D learns in every third step. `--set "
        "cycle=10 --set matching=9 --set d_every=3` does that from the start.",
        "Its objective lets classes change places; whatever leads back is as good.",
        "Chosen: 100 epochs.",
        "A plain CPU wants it narrower, in small batches, with a heavier trip: `--size 64 --set width=24 --batch 32 "
        "--set cycle=10 --minutes 60`.",
    ),
    data=None,
    inputs="domains",
    sizes=(32, 64, 128),
    value_range=(0.0, 1.0),
    classes="required",
    players={
        "G": Player(network="discogan-generators", args={"width": 64}, weight_decay=1e-4),
        "D": Player(network="discogan-discriminators", args={"width": 64}, weight_decay=1e-4),
    },
    game=CycleRules(loss="non-saturating", cycle=1.0, distance="l2", identity=0.0, pool=0),
    batch=200,
    epochs=100,
    grid=8,
    score_images=5_000,
    exam_images=2_000,
    grid_epochs=5.0,
)
