"""`age-cgan`: the same face in another group of ages."""

from zerosum.games.rules import EncodingRules
from zerosum.spec import Player, Recipe, Stage

RECIPE = Recipe(
    name="age-cgan",
    title="Ageing with identity kept: conditional GAN, encoder, search for z",
    source="Antipov, Baccouche and Dugelay 2017, arXiv 1702.01983; networks of Perarnau et al. 2016, arXiv 1611.06355",
    notes=(
        "The paper's numbers: 64 pixels, z of 100, Adam 2e-4 with (0.5, 0.999), 100 epochs for the conditional GAN, "
        "six one-hot groups of ages: 0-18, 19-29, 30-39, 40-49, 50-59, 60+. `--data ages:PATH` reads them from file "
        "names such as UTKFace's; `--data domains:PATH` has a subfolder for each group, in the order of their names.",
        "Then G rests and the encoder learns z from what G makes: the paper from 100,000 pairs, here from fresh ones. "
        "Chosen: batch 64, the encoder's rate and its 100 epochs, the mean over z of the squared error.",
        "`zerosum translate` looks for the z whose picture in the image's own group has the same features, by L-BFGS "
        "from the encoder's, and draws it in the group asked for. The paper's features are FaceNet's, whose weights "
        "would be a download: here those of the encoder that learns from the user's own images; `--set "
        "identity_network=digits-net` takes another one.",
        "Where the own group is not known it is the one in which the encoder's z draws the nearest picture.",
        "`--set pace=0.1` makes both stages a tenth as long. A plain CPU wants it narrower: `--set G.width=32 --set "
        "D.width=32 --set units=512`.",
    ),
    data=None,
    inputs="codes",
    sizes=(28, 32, 64),
    classes="required",
    players={
        "G": Player(network="age-cgan-generator", args={"z_dim": 100, "width": 64}),
        "D": Player(network="age-cgan-discriminator", args={"width": 64}),
        "E": Player(network="age-cgan-encoder", args={"z_dim": 100, "width": 32, "units": 4096}),
    },
    game=EncodingRules(view="two-batches", fakes="same"),
    batch=64,
    stages=(
        Stage(epochs=100.0),
        Stage(epochs=100.0, changes={"encoding": True}),
    ),
    grid=6,
    score_images=5_000,
)
