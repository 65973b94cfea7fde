"""`sngan`: residual networks, D's layers spectrally normalized (Miyato et al. 2018, arXiv 1802.05957)."""

from zerosum.games.rules import AdversarialRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="sngan",
    title="Spectrally normalized GAN with residual networks",
    source="Miyato et al. 2018, arXiv 1802.05957, section 4 and tables 4 to 6; classes as in 1802.05637",
    notes=(
        "The paper's ResNet for CIFAR-10: hinge loss, five turns of D for one of G, Adam 2e-4 with (0, 0.9), batch 64, "
        "50,000 updates of G, rates falling to zero on a line.",
        "The authors' configuration for CIFAR-10 without classes draws 128 fakes in G's turn; here 64 in both.",
        "A step is five turns of D: a plain CPU wants it narrower, as in `--set width=16`.",
    ),
    data="mnist",
    sizes=(28, 32, 48, 64, 128),
    classes="optional",
    players={
        "G": Player(
            network="sngan-generator",
            args={"z_dim": 128, "width": 64, "conditioning": "batch-norm"},
            lr=2e-4,
            betas=(0.0, 0.9),
        ),
        "D": Player(
            network="sngan-discriminator", args={"width": 64, "conditioning": "projection"}, lr=2e-4, betas=(0.0, 0.9)
        ),
    },
    game=AdversarialRules(loss="hinge", n_critic=5, view="two-batches", fakes="fresh"),
    batch=64,
    steps=50_000,
    schedule="linear",
)
