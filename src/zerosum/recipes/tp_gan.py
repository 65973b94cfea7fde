"""`tp-gan`: a face from the front, of one seen from the side."""

from zerosum.games.rules import FrontalRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="tp-gan",
    title="A frontal face from a profile, by a global and a local pathway",
    source="Huang et al. 2017, arXiv 1704.04086, section 3 and tables 1 to 3",
    notes=(
        "The paper's numbers: 128 pixels, batch 10, rate 1e-4, z of 100, symmetry 0.3, adversarial 1e-3, identity "
        "preserved 3e-3, total variation 1e-4, and the identity's cross-entropy 1e-3.",
        "The paper preserves identity by Light CNN's last layers, whose weights would be a download: here by the maps "
        "of the encoder, which learns from the user's own images; `--set content_network=NAME` takes another one. They "
        "are those of the real frontal view.",
        "Left open, and chosen: Adam with (0.5, 0.999), 50 epochs, batch norm, pixel terms that weigh alike (the "
        "image, its half, its quarter, and the mean of four patches), means over pixels in all terms: a sum in the "
        "total variation alone would wipe out whatever is small.",
        "Both halves are drawn to each other by symmetry, where the paper draws the hidden one to the other alone.",
        "`eyes_apart`, `eyes_at`, `nose_at` and `mouth_at` say where a frontal crop has them, as shares of the side: "
        "crops that are aligned in another way need numbers of their own.",
        "A plain CPU wants it narrower: `--size 64 --set width=16`.",
    ),
    data=None,
    inputs="profiles",
    sizes=(64, 128),
    classes="required",
    flip=True,
    players={
        "G": Player(
            network="tp-gan-generator",
            args={
                "width": 64,
                "noise": 100,
                "eyes_apart": 0.34,
                "eyes_at": 0.4,
                "nose_at": 0.58,
                "mouth_at": 0.77,
            },
            lr=1e-4,
        ),
        "D": Player(network="tp-gan-discriminator", args={"width": 64}, lr=1e-4),
    },
    game=FrontalRules(),
    batch=10,
    epochs=50,
    grid=8,
    score_images=5_000,
    grid_epochs=5.0,
)
