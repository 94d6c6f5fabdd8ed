"""A call to a model as its caller puts it, and how the caller follows it."""

from __future__ import annotations

from dataclasses import dataclass, field

from mmos.errors import HostError
from mmos.fleet.account import Account
from mmos.fleet.notices import OnWait
from mmos.hosts.face import ChatRequest, OnToken
from mmos.names import canonical
from mmos.placement.facts import Call, Limit, talk


class Observer:
    """Follows one call through all its attempts. This one sees nothing."""

    on_token: OnToken | None = None
    """Gets the pieces of the text. MMOS reads it anew for each attempt."""
    on_wait: OnWait | None = None
    """Gets what to expect while the call waits, at most once a second. None: the caller does not want to know."""

    def placed(self, host: str, cold: bool) -> None:
        """A host was chosen. `cold`: it must load the model first."""

    def failed(self, host: str, error: HostError) -> None:
        """An attempt failed."""

    def waking(self, host: str, seconds: float) -> None:
        """The host sleeps, and MMOS wakes it. `seconds`: how long it is worth waiting for."""

    def takes(self, error: HostError) -> bool:  # noqa: ARG002  # one that can use a failed reply looks at it
        """Whether the caller can use the failed reply. If so, MMOS does not try again."""
        return False


@dataclass
class Listener(Observer):
    """Gets only the pieces of the text."""

    on_token: OnToken | None = None


@dataclass(frozen=True)
class Ask:
    """A call to a model, and what decides which host serves it."""

    request: ChatRequest
    servers: tuple[str, ...] = ()
    """Empty: any host that has the model."""
    session: str = ""
    urgent: bool = True
    observer: Observer = field(default_factory=Observer)
    grows: bool = False
    """Whether later calls will need a larger window than this one."""
    group: str = ""
    """The job that the call belongs to. Jobs get fair shares, and MMOS learns which models a job asks after each other."""
    others: tuple[ChatRequest, ...] = ()
    """The same request to other models. Whichever model can answer first gets the call."""
    kind: str = ""
    """Who asks: MMOS expects answers of the same length from calls of one kind, and learns how long they are."""
    strategy: str = ""
    """On which GPU its model is loaded: see `gpu.strategy` in the configuration. Empty: as the fleet does."""
    account: Account = field(default_factory=Account)
    """Where the call has spent its time."""
    limits: tuple[Limit, ...] = ()
    """What its role and its thread may use at once."""

    def request_for(self, model: str) -> ChatRequest:
        """The request to a model, by its canonical name."""
        if not self.others:
            return self.request
        return next((request for request in self.others if canonical(request.model) == model), self.request)

    @property
    def models(self) -> tuple[str, ...]:
        return self.request.model, *(request.model for request in self.others)

    def wish(self, number: str, tokens: float, models: tuple[str, ...], hosts: tuple[str, ...], window: int) -> Call:
        """The call as the engine sees it."""
        return Call(
            number,
            models,
            tokens,
            hosts=hosts,
            window=window,
            session=self.session,
            group=self.group,
            kind=self.kind,
            blocks=talk(self.session, tokens),
            urgent=self.urgent,
            strategy=self.strategy,
            limits=self.limits,
        )
