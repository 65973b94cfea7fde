"""`stargan`: one translator between many sets of images."""

from zerosum.games.rules import DomainRules
from zerosum.spec import Player, Recipe, Stage

RECIPE = Recipe(
    name="stargan",
    title="One translator into many domains",
    source="Choi et al. 2017, arXiv 1711.09020, sections 3 and 7",
    notes=(
        "The paper's numbers: batch 16, Adam 1e-4 with (0.5, 0.999), Wasserstein loss with a penalty of 10, five turns "
        "of D for one of G, classes 1, reconstruction 10, 10 epochs and 10 more in which rates fall to zero on a line.",
        "An image has one domain, as in the paper's RaFD. Of its CelebA, `--data celeba:PATH`, each combination of the "
        "five attributes is one, where the paper has a vector of them.",
        "Here a step has all five turns of D, each on a batch of its own, and so an epoch five passes of D.",
        "Faces that age: `--data ages:PATH`, or `domains:PATH` with a subfolder for each age group, as the paper "
        "does with CelebA's label Young; then `zerosum translate RUN IMAGES --domain GROUP`. It learns to lead faces "
        "back, and is told nothing of the order of the groups; `age-cgan` goes by way of z instead.",
        "A plain CPU wants it narrower, with rates that are higher and fall within the hour: `--size 64 --set width=16 "
        "--set blocks=2 --lr 5e-4 --set stages=[] --set schedule=linear --minutes 60`.",
    ),
    data=None,
    inputs="domains",
    sizes=(28, 32, 64, 128, 256),
    classes="required",
    flip=True,
    players={
        "G": Player(network="stargan-generator", args={"width": 64, "blocks": 6}, lr=1e-4),
        "D": Player(network="stargan-discriminator", args={"width": 64}, lr=1e-4),
    },
    game=DomainRules(),
    batch=16,
    stages=(
        Stage(epochs=10.0),
        Stage(epochs=10.0, gradually={"lr": 0.0}),
    ),
    grid=8,
    score_images=5_000,
    exam_images=2_000,
)
