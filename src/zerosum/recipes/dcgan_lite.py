"""`dcgan-lite`: the DCGAN on MNIST of a Vietnamese Keras tutorial."""

from zerosum.games.rules import AdversarialRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="dcgan-lite",
    title="DCGAN without batch norm, on digits",
    source='tutorial "Deep Convolutional GAN" (Keras); DCGAN, arXiv 1511.06434',
    notes=(
        "Keras defaults are part of the system: Glorot-uniform kernels, zero biases, Adam eps 1e-7, asymmetric padding.",
        "It draws blank images for its first 20,000 images or so: its nature, not a fault.",
    ),
    data="mnist",
    sizes=(28,),
    size=28,
    channels=1,
    value_range=(0.0, 1.0),
    draw="replacement",
    players={
        "G": Player(network="keras-dcgan-generator", args={"z_dim": 100}, lr=2e-4, betas=(0.5, 0.999), eps=1e-7),
        "D": Player(network="keras-dcgan-discriminator", args={}, lr=2e-4, betas=(0.5, 0.999), eps=1e-7),
    },
    game=AdversarialRules(d_share=0.5, d_scale=0.5, view="one-batch", fakes="fresh"),
    batch=256,
    epochs=100,
    grid=25,
    grid_epochs=1.0,
    keep_epochs=10,
)
