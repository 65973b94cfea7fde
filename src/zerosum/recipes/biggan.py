"""`biggan`: large batches and wide networks, told the class everywhere (Brock et al. 2018, arXiv 1809.11096)."""

from zerosum.games.rules import AdversarialRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="biggan",
    title="BigGAN: class-conditional, hierarchical z, orthogonal regularization",
    source="Brock, Donahue and Simonyan 2018, arXiv 1809.11096, sections 3 and 4, appendices B and C",
    notes=(
        "The paper's rates, 5e-5 for G and 2e-4 for D with (0, 0.999), two turns of D for one of G, hinge loss, "
        "orthogonal regularization of 1e-4, an average of G of 0.9999.",
        "Its batch of 2048 and width of 96 are for many accelerators: here a batch of 256 is the default, and a plain "
        "CPU wants `--set width=16 --batch 64`.",
        "Chosen: 100,000 steps.",
    ),
    data="mnist",
    sizes=(28, 32, 64, 128, 256, 512),
    classes="required",
    players={
        "G": Player(
            network="biggan-generator",
            args={"part": 20, "embedded": 128, "width": 96},
            lr=5e-5,
            betas=(0.0, 0.999),
        ),
        "D": Player(network="biggan-discriminator", args={"width": 96}, lr=2e-4, betas=(0.0, 0.999)),
    },
    game=AdversarialRules(loss="hinge", n_critic=2, ortho=1e-4, view="two-batches", fakes="fresh"),
    batch=256,
    steps=100_000,
    ema=0.9999,
    ema_ramp=True,
    grid=100,
)
