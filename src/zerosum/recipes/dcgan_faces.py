"""`dcgan-faces`: DCGAN on 64x64 colour faces in four stages of one run, from a Vietnamese course report."""

from zerosum.games.rules import AdversarialRules
from zerosum.spec import Player, Recipe, Stage

RECIPE = Recipe(
    name="dcgan-faces",
    title="DCGAN on 64x64 colour images in four stages",
    source=(
        "course report on GANs by Trần Thanh Nguyên and Nguyễn Chí Cường (anime faces), after "
        "PyTorch's DCGAN tutorial; DCGAN, arXiv 1511.06434"
    ),
    notes=(
        "Inferred, from PyTorch's tutorial: the networks, their initialisation and batch 128.",
        "The authors end with Loss_D 0.1113, Loss_G 4.0270, D(x) 0.9619 and D(G(z)) 0.0659 / 0.0258 after 30 epochs "
        "of 497 steps; with fewer images an epoch is shorter, so that the ends can't be compared.",
        "It needs images: `--data folder:PATH`.",
    ),
    data=None,
    size=64,
    sizes=(64,),
    channels=3,
    players={
        "G": Player(
            network="dcgan-generator",
            args={"z_dim": 100, "width": 64, "conditioning": "embedding"},
            lr=2e-4,
            betas=(0.5, 0.999),
        ),
        "D": Player(network="dcgan-discriminator", args={"width": 64, "norm": "batch"}, lr=2e-4, betas=(0.5, 0.999)),
    },
    game=AdversarialRules(view="two-batches", fakes="same"),
    batch=128,
    stages=(
        Stage(epochs=5, changes={"lr": 2e-4, "beta1": 0.5}),
        Stage(epochs=5, changes={"lr": 1e-4, "beta1": 0.3}),
        Stage(epochs=10, changes={"lr": 1e-4, "beta1": 0.5}),
        Stage(epochs=10, changes={"lr": 1e-5, "beta1": 0.5}),
    ),
    grid_epochs=1.0,
    keep_epochs=5,
)
