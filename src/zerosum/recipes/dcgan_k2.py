"""`dcgan-k2`: D learns at every second step only, in a Keras tutorial in Vietnamese, on MNIST."""

from zerosum.games.rules import AdversarialRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="dcgan-k2",
    title="DCGAN where D learns at every k-th step, on digits",
    source='tutorial "Bài 43 - Model GAN" by Phạm Đình Khánh (Keras); GAN, arXiv 1406.2661',
    notes=(
        "The author ends with losses D 0.682 and G 0.690 and an accuracy of 70% on real and 77% on fake images; "
        "log 2 = 0.693 is the equilibrium.",
        "k is `d_every`: `--set d_every=1` lets D learn at every step.",
        "Keras' defaults are part of the system: Glorot-uniform kernels, zero biases, Adam eps 1e-7, padding that is "
        "asymmetric at stride 2 and for the 28x28 kernel.",
        "Torch adds Adam's eps after it has corrected the second moment, Keras before, where it weighs more at first.",
    ),
    data="mnist",
    size=28,
    sizes=(28,),
    channels=1,
    value_range=(0.0, 1.0),
    draw="replacement",
    players={
        "G": Player(network="dcgan-k2-generator", args={"z_dim": 100}, lr=2e-4, betas=(0.5, 0.999), eps=1e-7),
        "D": Player(network="dcgan-k2-discriminator", args={"dropout": 0.4}, lr=2e-4, betas=(0.5, 0.999), eps=1e-7),
    },
    game=AdversarialRules(d_every=2, d_share=0.5, d_scale=0.5, view="one-batch", fakes="fresh"),
    batch=256,
    epochs=100,
    grid=25,
    grid_epochs=1.0,
    keep_epochs=10,
)
