"""`dcgan-smooth`: the DCGAN with smoothed labels of a Keras tutorial in Vietnamese, on MNIST."""

from zerosum.games.rules import AdversarialRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="dcgan-smooth",
    title="DCGAN with smoothed labels, on digits",
    source="tutorial on DCGAN in Keras by trungthanhnguyen0502 (viblo.asia); DCGAN, arXiv 1511.06434",
    notes=(
        "Keras' defaults are part of the system: Glorot-uniform kernels, zero biases, Adam eps 1e-7, batch norm "
        "with eps 1e-3 and momentum 0.99, padding that is asymmetric at stride 2.",
        "Torch adds Adam's eps after it has corrected the second moment, Keras before, where it weighs more at first.",
        "The tutorial cuts its epochs to a tenth and shows the pictures of 8 of them, its code says 5: `--epochs 8`.",
        "What the tutorial holds out is not said; here it is MNIST's test split.",
    ),
    data="mnist",
    size=28,
    sizes=(28,),
    channels=1,
    draw="replacement",
    players={
        "G": Player(network="dcgan-smooth-generator", args={"z_dim": 100}, lr=1e-4, betas=(0.3, 0.999), eps=1e-7),
        "D": Player(
            network="dcgan-smooth-discriminator",
            args={"dropout": 0.3},
            lr=1e-4,
            betas=(0.3, 0.999),
            eps=1e-7,
        ),
    },
    game=AdversarialRules(
        target_real=0.9,
        target_fake=0.1,
        target_g=0.9,
        view="two-steps",
        fakes="same-z",
        fakes_mode="eval",
    ),
    batch=8,
    epochs=5,
    epoch_share=0.1,
    grid=25,
    grid_epochs=1.0,
)
