"""`dcgan-lite`: the DCGAN without batch norm of a Keras tutorial in Vietnamese, on MNIST."""

from zerosum.games.rules import AdversarialRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="dcgan-lite",
    title="DCGAN without batch norm, on digits",
    source='tutorial "Deep Convolutional GAN" (Keras); DCGAN, arXiv 1511.06434',
    notes=(
        "Keras' defaults are part of the system: Glorot-uniform kernels, zero biases, Adam eps 1e-7, padding that is "
        "asymmetric at stride 2.",
        "It draws blank images for its first 20,000 images or so: its nature, not a fault.",
        "Its author suggests trying: `--set value_range=-1,1` (with it comes tanh), `--set z_dim=50`, "
        "`--set batch_norm=true`, `--set target_real=0.9`, `--set G.width=64`.",
        "Torch adds Adam's eps after it has corrected the second moment, Keras before, where it weighs more at first.",
    ),
    data="mnist",
    size=28,
    sizes=(28,),
    channels=1,
    value_range=(0.0, 1.0),
    draw="replacement",
    players={
        "G": Player(
            network="dcgan-lite-generator",
            args={"z_dim": 100, "width": 128, "batch_norm": False},
            lr=2e-4,
            betas=(0.5, 0.999),
            eps=1e-7,
        ),
        "D": Player(
            network="dcgan-lite-discriminator",
            args={"width": 64, "dropout": 0.4, "batch_norm": False},
            lr=2e-4,
            betas=(0.5, 0.999),
            eps=1e-7,
        ),
    },
    game=AdversarialRules(d_share=0.5, d_scale=0.5, view="one-batch", fakes="fresh"),
    batch=256,
    epochs=100,
    grid=25,
    grid_epochs=1.0,
    keep_epochs=10,
)
