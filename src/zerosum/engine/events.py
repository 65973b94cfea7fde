"""What a run says while it goes: the vocabulary of its events (docs/events.md), their check, and the bus to listeners.

An event is a plain dictionary, the same in memory and as a line of `events.jsonl`, so that a listener in this
process and a reader of the file see one thing. JSON has no NaN: a number that is not finite becomes None, and
a warning event names it.
"""

from __future__ import annotations

import functools
import logging
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, NotRequired, Protocol, TypeAlias, cast

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

SCHEMA = 2

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Terms: TypeAlias = dict[str, float | None]
EndReason: TypeAlias = Literal["finished", "stopped", "diverged", "failed"]

_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


@with_config(_STRICT)
class StartEvent(TypedDict):
    """A run begins, or goes on after a resume; the goals count from the run's first step."""

    event: Literal["start"]
    schema: Annotated[int, Field(ge=SCHEMA, le=SCHEMA)]
    name: str
    recipe: str
    step: Count
    steps: Count | None
    minutes: Seconds | None
    images: NotRequired[Count]
    seconds: NotRequired[Seconds]
    epoch_steps: NotRequired[Count | None]
    data: NotRequired[str | None]
    device: NotRequired[str | None]


@with_config(_STRICT)
class StageEvent(TypedDict):
    """A stage of the recipe begins: what changes from the next step on."""

    event: Literal["stage"]
    step: Count
    stage: Annotated[int, Field(ge=1)]
    stages: Annotated[int, Field(ge=1)]
    changes: dict[str, Any]


@with_config(_STRICT)
class StepEvent(TypedDict):
    """The numbers of one step, at the logging interval."""

    event: Literal["step"]
    step: Count
    images: Count
    seconds: Seconds
    images_per_second: Seconds | None
    losses: Terms
    d_real: float | None
    d_fake_before: float | None
    d_fake_after: float | None
    acc_real: Share | None
    acc_fake: Share | None
    margin: float | None
    separation: float | None
    grad_norm: Terms
    lr: Terms


@with_config(_STRICT)
class GridEvent(TypedDict):
    """A grid of samples from the fixed z was written."""

    event: Literal["grid"]
    step: Count
    path: str


@with_config(_STRICT)
class CheckpointEvent(TypedDict):
    """A checkpoint was written, and loads."""

    event: Literal["checkpoint"]
    step: Count
    name: str
    path: str


@with_config(_STRICT)
class ScoreEvent(TypedDict):
    """The generator was scored; lower is better."""

    event: Literal["score"]
    step: Count
    name: str
    value: float | None
    levels: Terms
    best: bool


@with_config(_STRICT)
class HeldOutEvent(TypedDict):
    """How D judges images that it never trained on, and as many fresh fakes."""

    event: Literal["held_out"]
    step: Count
    samples: Count
    d_real: float | None
    d_fake: float | None
    acc_real: Share | None
    acc_fake: Share | None
    dis_acc: float | None
    gan_acc: float | None


@with_config(_STRICT)
class ExamEvent(TypedDict):
    """How varied the samples are beside real ones, and how D tells seen from unseen ones, right from wrong classes."""

    event: Literal["exam"]
    step: Count
    images: Count
    samples: Count
    spread: float | None
    nearest: float | None
    coverage: Share | None
    reach: float | None
    gap: float | None
    label_gap: float | None
    probes: Terms


@with_config(_STRICT)
class EvidenceFields(TypedDict):
    """One number that a verdict rests on, by its key in the watch's catalogue."""

    key: str
    values: dict[str, float | str]


@with_config(_STRICT)
class AdviceFields(TypedDict):
    """One thing to try, by its key in the watch's catalogue, and the command that does it."""

    key: str
    command: str | None


@with_config(_STRICT)
class VerdictEvent(TypedDict):
    """What the watch thinks of the run, in no language: its catalogue has the words."""

    event: Literal["verdict"]
    step: Count
    verdict: str
    since: Count
    sure: Share
    evidence: list[EvidenceFields]
    advice: list[AdviceFields]


@with_config(_STRICT)
class ChosenEvent(TypedDict):
    """Which checkpoint is the best, after the candidates were scored again on more samples and another seed."""

    event: Literal["chosen"]
    step: Count
    name: str
    value: float | None
    samples: Count
    candidates: Terms


@with_config(_STRICT)
class WarningEvent(TypedDict):
    """Something the user should know, while training goes on."""

    event: Literal["warning"]
    step: Count
    message: str


@with_config(_STRICT)
class EndEvent(TypedDict):
    """Training is over, for now or for good."""

    event: Literal["end"]
    reason: EndReason
    step: Count
    images: Count
    seconds: Seconds
    message: str | None


Event: TypeAlias = (
    StartEvent
    | StageEvent
    | StepEvent
    | GridEvent
    | CheckpointEvent
    | ScoreEvent
    | HeldOutEvent
    | ExamEvent
    | ChosenEvent
    | VerdictEvent
    | WarningEvent
    | EndEvent
)


@functools.cache
def _adapter() -> TypeAdapter[Event]:
    return TypeAdapter(Annotated[Event, Field(discriminator="event")])


def check_event(fields: Mapping[str, Any]) -> Event:
    """The same fields, known to be an event of this schema; `ValueError` names the first one that is not."""
    try:
        _adapter().validate_python(dict(fields))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "event"
        raise ValueError(f"{where}: {first['msg']}") from None
    return cast(Event, fields)


def only_finite(event: Event) -> tuple[Event, list[str]]:
    """The event with None for every number that is not finite, and their dotted names."""
    names: list[str] = []

    def clean(value: Any, name: str) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            names.append(name)
            return None
        if isinstance(value, Mapping):
            return {key: clean(item, f"{name}.{key}" if name else str(key)) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [clean(item, f"{name}.{index}") for index, item in enumerate(value)]
        return value

    cleaned = clean(event, "")
    return (cast(Event, cleaned), names) if names else (event, names)


class Listener(Protocol):
    """Something that hears events, in order, in the training thread; it must be quick."""

    def __call__(self, event: Event, /) -> None: ...

    def close(self) -> None: ...


class Bus:
    """Hands every event to every listener; none of them can stop training.

    A listener that raises is reported once, as a warning event to the others (to the log "zerosum" where none
    is left), and dropped. KeyboardInterrupt and SystemExit pass through. An event that a listener emits while
    it listens is delivered after the present one, so that all see the same order.
    """

    def __init__(self, listeners: Iterable[Listener] = ()) -> None:
        self._listeners = list(listeners)
        self._queue: deque[Event] = deque()
        self._busy = False
        self._step = 0

    def add(self, listener: Listener) -> None:
        """From now on the listener hears what is emitted."""
        self._listeners.append(listener)

    def emit(self, event: Event) -> None:
        """Deliver an event, numbers that are not finite as None with a warning that names them."""
        self._step = event.get("step", self._step)
        cleaned, names = only_finite(event)
        self._queue.append(cleaned)
        if names:
            self._queue.append(self._warning(f"not finite: {', '.join(names)}"))
        if self._busy:
            return
        self._busy = True
        try:
            while self._queue:
                self._deliver(self._queue.popleft())
        finally:
            self._busy = False
            self._queue.clear()

    def warn(self, message: str) -> None:
        """Emit a warning at the present step."""
        self.emit(self._warning(message))

    def close(self) -> None:
        """Close every listener, the first one last, so that it hears of the others' trouble."""
        while self._listeners:
            listener = self._listeners.pop()
            self._guarded(listener, listener.close)

    def _deliver(self, event: Event) -> None:
        for listener in list(self._listeners):
            if not self._guarded(listener, functools.partial(listener, event)):
                self._listeners = [other for other in self._listeners if other is not listener]
                self._guarded(listener, listener.close, report=False)
        if event["event"] == "warning" and not self._listeners:
            logging.getLogger("zerosum").warning(event["message"])

    def _guarded(self, listener: Listener, call: Callable[[], None], *, report: bool = True) -> bool:
        try:
            call()
        except Exception as error:  # noqa: BLE001  (whatever it is, training is worth more than a listener)
            if report:
                why = " ".join(f"{type(error).__name__}: {error}".split())
                self.warn(f"{type(listener).__name__} failed and was dropped: {why}")
            return False
        return True

    def _warning(self, message: str) -> WarningEvent:
        return WarningEvent(event="warning", step=self._step, message=message)
