"""A recipe: every number of a published system, frozen, validated when built, and the same after JSON.

Nothing here knows torch, so that recipes can be listed, edited and refused in milliseconds.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from zerosum.errors import UserError, nearest

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)

Positive = Annotated[int, Field(ge=1)]
NonNegative = Annotated[float, Field(ge=0)]
Decay = Annotated[float, Field(ge=0, lt=1)]
Probability = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Player:
    """One side of the game: its network by registered name with all its arguments, and its optimizer."""

    network: str
    args: dict[str, Any] = dataclasses.field(default_factory=dict)
    optimizer: Literal["adam", "rmsprop", "sgd"] = "adam"
    lr: NonNegative = 2e-4
    betas: tuple[Decay, Decay] = (0.5, 0.999)
    eps: Annotated[float, Field(gt=0)] = 1e-8
    alpha: Decay = 0.99  # RMSprop's smoothing
    momentum: Decay = 0.0  # SGD's
    weight_decay: NonNegative = 0.0  # times the weights, added to their gradients
    clip: NonNegative | None = None  # weights are clamped to [-clip, clip] after each turn (WGAN)
    frozen: bool = False  # a frozen player takes its turns without an update


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Stage:
    """A stretch of one run: how long, and what changes (dotted names, as in --set).

    `changes` are made where it begins; what is in `gradually` moves over its whole length from the value before to this
    one, evenly ("linear") or on half a cosine.
    """

    epochs: Annotated[float, Field(gt=0)] | None = None
    steps: Positive | None = None
    images: Positive | None = None
    changes: dict[str, Any] = dataclasses.field(default_factory=dict)
    gradually: dict[str, float] = dataclasses.field(default_factory=dict)
    course: Literal["linear", "cosine"] = "linear"
    begun: Decay = 0.0  # the share of its course that lies behind it: a branch begins within a stage

    def __post_init__(self) -> None:
        if sum(length is not None for length in (self.epochs, self.steps, self.images)) != 1:
            raise ValueError("a stage has one of epochs, steps and images")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Rules:
    """What a game lets its players do; each game has its own subclass, found by its `kind`."""

    kind: ClassVar[str] = ""
    kinds: ClassVar[dict[str, type[Rules]]] = {}

    @property
    def needs_images(self) -> bool:
        """Whether it can't be played on points."""
        return False

    @property
    def features(self) -> str | None:
        """The name of the feature network whose maps the game compares; None for none."""
        return None

    @property
    def recognises(self) -> str | None:
        """The name of the feature network by which whoever uses the run tells who is shown; None for none."""
        return None

    @property
    def by_domain(self) -> bool:
        """Whether it asks for real samples of one class at a time."""
        return False

    def draws(self, batch: int) -> tuple[int, ...]:
        """How many samples a round of this batch asks for at a time: each divides over the processes."""
        return (batch,)

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if cls.kind:
            Rules.kinds[cls.kind] = cls


def _parse_rules(value: Any) -> Any:
    if isinstance(value, Mapping):
        fields = dict(value)
        kind = fields.pop("kind", None)
        if kind not in Rules.kinds:
            raise ValueError(f"no game {kind!r}; {nearest(str(kind), Rules.kinds)}")
        return Rules.kinds[kind](**fields)
    return value


def _as_name(value: Any) -> Any:
    """A class may be called 3, which a command line takes for a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


SANE_RATES = {"adam": 1e-2, "rmsprop": 1e-2, "sgd": 1.0}  # by optimizer: no GAN is known that learns at more
LENGTHS = ("epochs", "steps", "minutes")
ALIASES = {"beta1": ("betas", 0), "beta2": ("betas", 1)}


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Recipe:
    """A system with all its numbers: what `zerosum train NAME` runs."""

    name: str
    title: str
    source: str  # the paper with its arXiv id, or the tutorial
    notes: tuple[str, ...] = ()  # what the source leaves open, and what was chosen

    data: str | None = "digits"  # None: the user must name a source
    # What G makes an image of: z, its partner, the same one made small, an image of another class, the z of such a one,
    # one with a pose, one with landmarks.
    inputs: Literal["noise", "pairs", "small", "domains", "codes", "poses", "profiles"] = "noise"
    direction: Literal["A2B", "B2A"] = "A2B"  # which half of a pair G is given, and which it is to make
    jitter: Annotated[float, Field(ge=1, le=2)] = 1.0  # images are enlarged so many times and cropped at random
    kind: Literal["images", "points", "any"] = "images"
    size: Positive | None = None  # pixels; None: the largest of `sizes` that the data has
    sizes: tuple[int, ...] = ()
    channels: Literal[1, 3] | None = None  # None: as the data
    value_range: tuple[float, float] = (-1.0, 1.0)
    classes: Literal["ignored", "optional", "required"] = "ignored"
    captions: Literal["ignored", "required"] = "ignored"  # whether G draws what a text says
    only_class: Annotated[str | None, BeforeValidator(_as_name)] = (
        None  # train on this class alone; a fleet sets it for each member
    )
    flip: bool = False
    draw: Literal["shuffle", "replacement"] = "shuffle"

    players: dict[str, Player]
    game: Annotated[Rules, BeforeValidator(_parse_rules)]
    batch: Annotated[int, Field(ge=1, le=2**20)] = 64  # more can't be meant: it would take all memory there is

    epochs: Annotated[float, Field(gt=0)] | None = None
    steps: Positive | None = None
    fleet_steps: Positive | None = None  # of each model of a fleet, where nobody asks for another length
    minutes: Annotated[float, Field(gt=0)] | None = None
    epoch_share: Annotated[float, Field(gt=0, le=1)] = 1.0  # an epoch is this share of floor(data / batch)
    stages: tuple[Stage, ...] = ()
    pace: Annotated[float, Field(gt=0)] = 1.0  # every stage is this many times as long
    schedule: Literal["constant", "linear", "cosine"] = "constant"  # of lr over the horizon, down to zero
    lr_images: Positive | None = None  # after so many images rates also fall by the root of how many times more it is
    ema: Decay = 0.0  # of G, per step; 0 turns it off
    ema_ramp: bool = False  # the decay is min(ema, (1 + step) / (10 + step))

    grid: Positive = 64  # pictures in a sample grid
    grid_at: tuple[int, ...] = ()  # a grid at these steps
    grid_steps: Positive | None = None  # and every so many steps
    grid_epochs: Annotated[float, Field(gt=0)] | None = 1.0  # and every so many epochs
    keep_at: tuple[int, ...] = ()  # a step checkpoint at these steps
    keep_epochs: Annotated[float, Field(gt=0)] | None = None  # and every so many epochs
    best: Literal["auto", "fid", "swd", "g-loss"] = "auto"  # auto: fid where a network for the data is at hand
    best_of: tuple[Literal["fid", "swd", "coverage"], ...] = ()  # figures that keep a checkpoint best-NAME too
    score_images: Positive = 50_000  # images between two scores
    exam_images: Positive = 8_000  # and between two exams, which cost about as much as 150 images of training
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0  # torch takes no more

    def __post_init__(self) -> None:
        given = [name for name in LENGTHS if getattr(self, name) is not None]
        if len(given) > 1 or not (given or self.stages):
            raise ValueError("the length is one of epochs, steps and minutes, or the sum of the stages")
        if self.size is not None and self.sizes and self.size not in self.sizes:
            raise ValueError(f"size {self.size} is not one that {self.name} can make: {_listed(self.sizes)}")

    @property
    def paired(self) -> bool:
        """Whether what G is given lies beside what it is to make of it."""
        return self.inputs in ("pairs", "small", "poses", "profiles")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; `from_dict` gives an equal recipe back."""
        fields = dataclasses.asdict(self)
        fields["game"] = {"kind": self.game.kind, **fields["game"]}
        return json.loads(json.dumps(fields))  # type: ignore[no-any-return]

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """The recipe of plain values; `UserError` names the first field that is wrong."""
        try:
            return TypeAdapter(cls).validate_python(dict(fields))
        except ValidationError as error:
            raise UserError(_one_line(error)) from None

    def override(self, changes: Mapping[str, Any]) -> Self:
        """A recipe with some fields changed, each by its dotted name.

        `G.lr` reaches one player, `lr` every player that has it, `n_critic` the game, `width` the
        networks' own arguments. Values may be text, as from a command line.
        """
        fields = self.to_dict()
        for key, value in changes.items():
            _assign(fields, key, value)
        return self.from_dict(fields)

    def as_asked(self, changes: Mapping[str, Any]) -> Self:
        """`override` for what a user asks for: no stage of the recipe changes these settings any more."""
        changed = self.override(changes)
        fields = changed.to_dict()
        asked = {name for key in changes for name in _in_full(fields, key)}
        stages = []
        for stage in changed.stages:
            kept, moved = (_without(fields, asked, told) for told in (stage.changes, stage.gradually))
            stages.append(dataclasses.replace(stage, changes=kept, gradually=moved))
        return dataclasses.replace(changed, stages=tuple(stages))

    def moving(self, stage: Stage) -> dict[str, tuple[float, float]]:
        """What a stage that begins under this recipe changes gradually: names in full, with both ends.

        `UserError` for a name that the recipe lacks, or that is no number.
        """
        fields, found = self.to_dict(), {}
        for key, end in stage.gradually.items():
            for name in _in_full(fields, key) or [key]:
                start = _look(fields, name)
                if not isinstance(start, int | float) or isinstance(start, bool):
                    raise UserError(f"a stage of {self.name} can't change {key!r} gradually: it is {start!r}")
                found[name] = (float(start), end)
        return found

    def keys(self) -> list[str]:
        """Every dotted name that `override` accepts, players' names in full."""
        return _keys(self.to_dict())


def differences(old: Recipe, new: Recipe) -> dict[str, Any]:
    """The dotted names whose values differ, with the new values."""
    before, after = old.to_dict(), new.to_dict()
    return {key: _look(after, key) for key in _keys(after) if _look(before, key) != _look(after, key)}


def lowered(rate: float, factor: float, optimizer: str) -> float:
    """A learning rate to go on with where `rate` was too high: a part of an absurd one would be absurd too."""
    return min(rate * factor, SANE_RATES[optimizer] / 10)


def ruined(recipe: Recipe) -> bool:
    """Whether a rate is so absurd that no checkpoint after the first step is worth going on from."""
    return any(player.lr > SANE_RATES[player.optimizer] for player in recipe.players.values() if not player.frozen)


def _listed(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values))


def _keys(fields: dict[str, Any]) -> list[str]:
    keys = [key for key in fields if key not in ("players", "game", "name", "title", "source", "notes")]
    keys += [key for key in fields["game"] if key != "kind"]
    for name, player in fields["players"].items():
        keys += [f"{name}.{key}" for key in player if key not in ("args", "network")]
        keys += [f"{name}.{key}" for key in player["args"]]
    return keys


def _look(fields: dict[str, Any], key: str) -> Any:
    head, _, tail = key.rpartition(".")
    if tail in ALIASES:
        tail, index = ALIASES[tail]
        pair = _look(fields, f"{head}.{tail}" if head else tail)
        return None if pair is None else pair[index]
    places = _places(fields, key)
    return places[0][0].get(places[0][1]) if places else None


def _without(fields: dict[str, Any], asked: set[str], told: Mapping[str, Any]) -> dict[str, Any]:
    """The changes of a stage but for what a user asked for."""
    kept: dict[str, Any] = {}
    for key, value in told.items():
        names = _in_full(fields, key)
        left = [name for name in names if name not in asked]
        kept.update({key: value} if left == names else dict.fromkeys(left, value))
    return kept


def _places(fields: dict[str, Any], key: str) -> list[tuple[dict[str, Any], str]]:
    """The (mapping, key) pairs that a dotted name stands for; empty where there is none."""
    players: dict[str, Any] = fields["players"]
    head, _, rest = key.partition(".")
    if rest:
        sides = [players[head]] if head in players else []
        key = rest
    else:
        if key in _keys(fields) and key in fields:
            return [(fields, key)]
        if key in fields["game"] and key != "kind":
            return [(fields["game"], key)]
        sides = list(players.values())
    places = []
    for side in sides:
        if key in side["args"]:
            places.append((side["args"], key))
        elif key in side and key not in ("args", "network"):
            places.append((side, key))
    return places


def _in_full(fields: dict[str, Any], key: str) -> list[str]:
    """The dotted names that a key stands for, one for each player that it reaches; beta1 stays beta1."""
    head, _, tail = key.rpartition(".")
    field = ALIASES[tail][0] if tail in ALIASES else tail
    if head or key in fields or key in fields["game"]:
        return [key]
    sides = fields["players"].items()
    return [f"{name}.{tail}" for name, side in sides if field in side["args"] or field in side]


def _assign(fields: dict[str, Any], key: str, value: Any) -> None:
    head, _, tail = key.rpartition(".")
    index = None
    if tail in ALIASES:
        tail, index = ALIASES[tail]
    places = _places(fields, f"{head}.{tail}" if head else tail)
    if not places:
        known = [*_keys(fields), *(name.partition(".")[2] for name in _keys(fields) if "." in name), *ALIASES]
        hint = nearest(key, set(known))
        hint = hint if hint.startswith("did") else f"`zerosum recipes {fields['name']}` lists them"
        raise UserError(f"{fields['name']} has no setting {key!r}; {hint}")
    for place, name in places:
        old = place[name]
        parsed = _parse(value, old if index is None else None)
        if index is not None:
            pair = list(old)
            pair[index] = parsed
            parsed = pair
        elif place not in (fields, fields["game"]) and name in _network_arguments(fields, place):
            _check_argument(key, parsed, old)
        place[name] = parsed
    if tail in LENGTHS and not head:
        fields.update({name: None for name in LENGTHS if name != tail})


def _network_arguments(fields: dict[str, Any], place: dict[str, Any]) -> dict[str, Any]:
    return next((side["args"] for side in fields["players"].values() if side["args"] is place), {})


def _parse(value: Any, old: Any) -> Any:
    """Text as JSON where it is JSON (0.5, true, null, [0, 0.9]), `0,0.9` as a list, else as it is."""
    if not isinstance(value, str):
        return value
    try:
        parsed = json.loads(value)
    except json.JSONDecodeError:
        if isinstance(old, list) and value:
            return [_parse(part.strip(), None) for part in value.split(",")]
        return value
    return [parsed] if isinstance(old, list) and isinstance(parsed, int | float) else parsed


def _check_argument(key: str, value: Any, old: Any) -> None:
    """A network's argument keeps the type of its default (an int may stand for a float)."""
    fits = isinstance(value, int | float) if isinstance(old, float) else isinstance(value, type(old))
    if old is not None and (not fits or isinstance(value, bool) != isinstance(old, bool)):
        raise UserError(f"{key} is {value!r}; expected {type(old).__name__}, such as {old!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{key} is {value!r}; expected a finite number, such as {old!r}")
    if isinstance(old, int) and not isinstance(old, bool) and value < 1:
        raise UserError(f"{key} is {value!r}; expected at least 1")


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("players", "game"))
    message = first["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    if first["type"] == "value_error" and not where:
        return message
    return f"{where} is {first['input']!r}; {message[0].lower()}{message[1:]}"
