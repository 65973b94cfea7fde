"""`began`: D gives images back, and a balance keeps it from winning (Berthelot et al. 2017, arXiv 1703.10717)."""

from zerosum.games.rules import BoundaryRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="began",
    title="Boundary equilibrium GAN: D is an autoencoder",
    source="Berthelot et al. 2017, arXiv 1703.10717, section 3",
    notes=(
        "The paper's networks without the optional skip connections, 64 numbers in z and in the autoencoder, Adam "
        "1e-4, batch 16, lambda 0.001, and a gamma of 0.5 from the range that it tries. At 128 pixels its "
        "networks are twice as wide: `--set width=128`.",
        "The paper halves the rates when its measure stalls; here they fall to zero over the run (cosine). Chosen: "
        "beta1 0.5, 20,000 steps.",
        "A plain CPU wants it narrower, with a balance that is found sooner: `--size 32 --set width=16 --batch 32 --lr "
        "5e-4 --set k_rate=0.01 --set gamma=0.7 --minutes 30`.",
        "D's accuracies say which error is the smaller: an autoencoder has no probability of real.",
    ),
    data="mnist",
    sizes=(28, 32, 64, 128, 256),
    players={
        "G": Player(network="began-generator", args={"z_dim": 64, "width": 64}, lr=1e-4),
        "D": Player(network="began-discriminator", args={"hidden": 64, "width": 64}, lr=1e-4),
    },
    game=BoundaryRules(loss="wasserstein", gamma=0.5, k_rate=1e-3, view="two-batches", fakes="fresh"),
    batch=16,
    steps=20_000,
    schedule="cosine",
)
