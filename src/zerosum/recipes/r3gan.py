"""`r3gan`: a relativistic loss that converges, on plain modern networks (Huang et al. 2024, arXiv 2501.05441)."""

from zerosum.games.rules import AdversarialRules
from zerosum.spec import Player, Recipe, Stage

RECIPE = Recipe(
    name="r3gan",
    title="Modern baseline: relativistic loss, R1 and R2, residual networks",
    source="Huang et al. 2024, arXiv 2501.05441, configuration E and the CIFAR-10 training of its appendix",
    notes=(
        "Relativistic pairing loss with R1 and R2 in every turn, no normalization; over the first 20 million images "
        "rates fall from 2e-4 to 5e-5, the penalties' weight from 0.05 to 0.005 and Adam's beta2 rises from 0.9 to "
        "0.99, each on half a cosine. Average of G over 5 million images.",
        "The authors' script also augments for CIFAR-10, with a probability that rises to 0.55 on the same cosine, and "
        "lets the average's length rise with it; neither is here: `--set augment=…` and `ada_target` are.",
        "The schedule's length is `pace`: `--set pace=0.01` is a hundredth of it. Larger images want larger penalties, "
        "in the paper 150 to 15 for faces of 256 pixels: `--set r1=150 --set r2=150` keeps them there to the end.",
        "A plain CPU wants it narrow, in small batches, and the schedule in short: digits in ten minutes of a core by "
        "`--size 32 --set width=16 --batch 16 --lr 2e-3 --set pace=0.005 --set r1=0.1 --set r2=0.1 --set "
        "penalty_every=8 --set G.betas=0,0.99 --set D.betas=0,0.99 --set ema=0.998`.",
    ),
    data="mnist",
    sizes=(28, 32, 64, 128, 256),
    classes="optional",
    players={
        "G": Player(network="r3gan-generator", args={"z_dim": 64, "width": 768, "embedded": 64}, betas=(0.0, 0.9)),
        "D": Player(network="r3gan-discriminator", args={"width": 768}, betas=(0.0, 0.9)),
    },
    game=AdversarialRules(loss="relativistic", r1=0.05, r2=0.05, view="two-batches"),
    batch=512,
    stages=(
        Stage(
            images=20_000_000,
            gradually={"lr": 5e-5, "r1": 0.005, "r2": 0.005, "beta2": 0.99},
            course="cosine",
        ),
        Stage(images=180_000_000),
    ),
    ema=0.99993,  # 0.5^(512 / 5,000,000)
    ema_ramp=True,
)
