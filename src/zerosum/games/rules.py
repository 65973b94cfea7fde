"""What each game can be told, as data: the fields that a recipe sets and `--set` reaches."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from zerosum.errors import nearest
from zerosum.spec import STRICT, NonNegative, Positive, Probability, Rules

Loss = Literal["saturating", "non-saturating", "least-squares", "hinge", "wasserstein", "relativistic"]
OperationName = Literal[
    "colour",
    "translation",
    "cutout",
    "flip",
    "quarter-turns",
    "jump",
    "shift",
    "scale",
    "rotation",
    "stretch",
    "brightness",
    "contrast",
    "luma-flip",
    "hue",
    "saturation",
    "octave-0",
    "octave-1",
    "octave-2",
    "octave-3",
    "noise",
]

_ADA: tuple[OperationName, ...] = (
    *("flip", "quarter-turns", "jump", "scale", "rotation", "stretch", "rotation", "shift"),
    *("brightness", "contrast", "luma-flip", "hue", "saturation"),
)
_OCTAVES: tuple[OperationName, ...] = ("octave-0", "octave-1", "octave-2", "octave-3")
POLICIES: dict[str, tuple[OperationName, ...]] = {  # names for several operations, as the papers have them
    "diffaug": ("colour", "translation", "cutout"),
    "ada": _ADA,  # what the paper settled on
    "filter": _OCTAVES,
    "ada-whole": (*_ADA, *_OCTAVES, "noise", "cutout"),
}


def _in_full(policy: object) -> object:
    """A policy with its names for several operations replaced by these; `ValueError` for a name of nothing."""
    if not isinstance(policy, (list, tuple)):
        return policy
    names = {*POLICIES, *get_args(OperationName)}
    for told in policy:
        if told not in names:
            raise ValueError(f"no augmentation {told!r}; {nearest(str(told), names)}")
    return tuple(name for told in policy for name in POLICIES.get(told, (told,)))


@dataclass(frozen=True, kw_only=True, config=STRICT)
class AimedRules(Rules):
    """What the players of an adversarial loss aim at."""

    loss: Loss = "non-saturating"
    labels: tuple[float, float, float] = (
        0.0,
        1.0,
        1.0,
    )  # least squares: a (fake), b (real), c (what G wants)
    target_real: Probability = 1.0  # cross-entropy targets; 0.9 is one-sided smoothing
    target_fake: Probability = 0.0
    target_g: Probability = 1.0


@dataclass(frozen=True, kw_only=True, config=STRICT)
class AdversarialRules(AimedRules):
    """G against D: the loss, who plays how often, and what the two see."""

    kind: ClassVar[str] = "adversarial"

    def draws(self, batch: int) -> tuple[int, ...]:
        return batch, self.d_batch(batch)

    def d_batch(self, batch: int) -> int:
        """The real samples, and the fakes, that D sees in a turn where G's batch is `batch`."""
        return max(1, round(batch * self.d_share))

    @property
    def needs_images(self) -> bool:
        return bool(self.augment)

    d_scale: NonNegative = 1.0  # on D's adversarial loss, which is the sum of its real and its fake part

    n_critic: Positive = 1  # D's turns in a round
    g_turns: Positive = 1  # G's turns in a round
    d_every: Positive = 1  # D plays only in every k-th round
    first: Literal["D", "G"] = "D"
    d_share: Annotated[float, Field(gt=0, le=1)] = (
        1.0  # D sees this share of the batch of real images, and as many fakes
    )

    fakes: Literal["fresh", "same-z", "same"] = "fresh"  # G's turn: new z, D's z again, or D's very images
    fakes_mode: Literal["train", "eval"] = "train"  # how G draws for D: "eval" uses batch norm's running averages
    view: Literal["one-batch", "two-batches", "two-steps"] = (
        "two-batches"  # real and fake: joined, apart, an update each
    )

    # What D's images go through: operations, or a name of POLICIES.
    augment: Annotated[tuple[OperationName, ...], BeforeValidator(_in_full)] = ()
    augment_p: Probability = 1.0  # with which each of these happens to an image
    ada_target: Probability = 0.0  # above 0, ADA's: p begins at 0 and follows so that E[sign D(real)] is this
    ada_images: Positive = 500_000  # within so many images p may go from 0 to 1

    r1: NonNegative = 0.0  # gamma of gamma/2 E|grad D(x)|^2 on real images
    r2: NonNegative = 0.0  # the same on fakes
    gp: NonNegative = 0.0  # lambda of lambda E(|grad D| - 1)^2 between real and fake
    drift: NonNegative = 0.0  # on D's squared logits of real images, which keeps them near zero (ProGAN)
    ortho: NonNegative = 0.0  # on how far the rows of G's weights are from orthogonal (BigGAN)
    gp_at: Literal["between", "around-real"] = "between"  # real and fake, or real and itself with noise (DRAGAN)
    penalty_every: Positive = 1  # D turns between two penalties, which then weigh as many times more


@dataclass(frozen=True, kw_only=True, config=STRICT)
class AuxiliaryRules(AdversarialRules):
    """The same with a D that names classes."""

    kind: ClassVar[str] = "auxiliary"

    class_weight: NonNegative = 1.0  # of the classes' cross-entropy beside the adversarial term, in both turns


@dataclass(frozen=True, kw_only=True, config=STRICT)
class InformedRules(AdversarialRules):
    """The same with codes in z that a head of D guesses."""

    kind: ClassVar[str] = "informed"

    category_weight: NonNegative = 1.0  # of the category's cross-entropy, in both turns
    continuous_weight: NonNegative = 0.1  # of half the squared error of the continuous codes


@dataclass(frozen=True, kw_only=True, config=STRICT)
class BoundaryRules(AdversarialRules):
    """The same with a balance k that weighs D's fakes."""

    kind: ClassVar[str] = "boundary"

    gamma: Probability = 0.5  # the fakes' error by the real images' that the balance keeps
    k_rate: NonNegative = 1e-3  # lambda, how fast k follows


@dataclass(frozen=True, kw_only=True, config=STRICT)
class GrowingRules(AdversarialRules):
    """The same with networks that grow."""

    kind: ClassVar[str] = "growing"

    @property
    def needs_images(self) -> bool:
        return True

    growth: NonNegative = 99.0  # doublings of the first map by now, a fraction while the newest layers fade in


@dataclass(frozen=True, kw_only=True, config=STRICT)
class EncodingRules(AdversarialRules):
    """The same, and then an encoder."""

    kind: ClassVar[str] = "encoding"

    @property
    def needs_images(self) -> bool:
        return True

    @property
    def recognises(self) -> str | None:
        return self.identity_network

    encoding: bool = False  # E learns from what G makes, while G and D rest
    identity_network: str = "encoder"  # the feature network that says who is shown, where z is looked for


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PathRules(AdversarialRules):
    """The same with a G whose images change evenly with w."""

    kind: ClassVar[str] = "paths"

    def draws(self, batch: int) -> tuple[int, ...]:
        return *super().draws(batch), *([self.path_batch(batch)] if self.path_weight else [])

    def path_batch(self, batch: int) -> int:
        """The samples that path lengths are taken of."""
        return max(1, round(batch * self.path_share))

    path_weight: NonNegative = 2.0  # of (|J^T y| - its running mean)^2
    path_every: Positive = 4  # G turns between two such terms, which then weigh as many times more
    path_decay: Probability = 0.01  # how fast the mean follows
    path_share: Annotated[float, Field(gt=0, le=1)] = 0.5  # of the batch that the term is taken of


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PairedRules(AimedRules):
    """G makes of an image its partner, and D sees both."""

    kind: ClassVar[str] = "paired"

    d_scale: NonNegative = 0.5  # on D's loss, which slows D down against G
    adversarial: NonNegative = 1.0  # of D's word in G's loss; 0 leaves D out
    l1: NonNegative = 100.0  # of the mean absolute difference to the partner
    l2: NonNegative = 0.0  # of the mean squared difference
    matching: NonNegative = 0.0  # of the mean absolute difference of what D's layers make of real and made partners
    coarse: Annotated[int, Field(ge=0, le=3)] = 0  # how often images are halved before the players see them
    content: NonNegative = 0.0  # of the mean squared difference between a feature network's maps
    content_network: str = "encoder"  # its name

    @property
    def features(self) -> str | None:
        return self.content_network if self.content else None


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PosedRules(PairedRules):
    """The same with a body in the partner that weighs more, and a G of two parts that learn one after the other."""

    kind: ClassVar[str] = "posed"

    d_scale: NonNegative = 1.0
    part: Annotated[int, Field(ge=1, le=2)] = 1  # of G that learns: the coarse one, or the fine one after it
    mask: NonNegative = 1.0  # by how much a difference on the body counts more than one beside it


@dataclass(frozen=True, kw_only=True, config=STRICT)
class FrontalRules(PairedRules):
    """The same of faces whose identities are known."""

    kind: ClassVar[str] = "frontal"

    d_scale: NonNegative = 1.0
    adversarial: NonNegative = 1e-3
    l1: NonNegative = 1.0  # of the image, of smaller ones and of its patches
    content: NonNegative = 3e-3  # of the mean absolute difference between a feature network's maps
    symmetry: NonNegative = 0.3  # of the difference of the image's halves, and of those of its Laplacian
    tv: NonNegative = 1e-4  # of the mean absolute difference of neighbours
    identity: NonNegative = 1e-3  # of the identity's cross-entropy


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CycleRules(AimedRules):
    """Two domains, a translator into each and a judge of each."""

    kind: ClassVar[str] = "cycle"

    @property
    def by_domain(self) -> bool:
        return True

    def draws(self, batch: int) -> tuple[int, ...]:
        return batch, 2 * batch

    loss: Loss = "least-squares"
    d_scale: NonNegative = 0.5
    adversarial: NonNegative = 1.0  # of the Ds' word in G's loss
    distance: Literal["l1", "l2"] = "l1"  # between an image and itself there and back
    cycle: NonNegative = 10.0  # its weight
    identity: NonNegative = 0.5  # of what a translator changes in an image of its own domain, as a share of `cycle`
    matching: NonNegative = 0.0  # of the squared difference of what D's layers make, in the mean, of real and made ones
    d_every: Positive = 1  # D plays only in every k-th round
    pool: Annotated[int, Field(ge=0, le=10_000)] = 50  # images of the past that D is shown from; 0: those just made


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DescribedRules(AimedRules):
    """G draws what a text says, and D sees both."""

    kind: ClassVar[str] = "described"

    stage: Annotated[int, Field(ge=0, le=2)] = 2  # 0: words and images learn to meet; 1: small images; 2: large ones
    kl: NonNegative = 1.0  # of the divergence of a text's condition from N(0, 1), a mean over its numbers
    mismatch: Probability = 0.5  # share in D's fake part of real images under another's caption
    margin: NonNegative = 1.0  # by which an image's own caption is to be nearer than another's


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DomainRules(AimedRules):
    """One translator into every domain, and a judge that names domains."""

    kind: ClassVar[str] = "domains"

    loss: Loss = "wasserstein"
    n_critic: Positive = 5  # D's turns in a round
    gp: NonNegative = 10.0  # lambda of lambda E(|grad D| - 1)^2 between real and made images
    class_weight: NonNegative = 1.0  # of the domains' cross-entropy, in both turns
    cycle: NonNegative = 10.0  # of the mean absolute difference after the way back
