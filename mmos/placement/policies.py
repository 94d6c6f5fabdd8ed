"""The classic policies: each sends a call at once, and chooses by one property of the hosts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from mmos.placement.copies import Copy, State
from mmos.placement.facts import Call

Policy: TypeAlias = Callable[[Copy, Call, "Memo"], Any]
"""The rank of a copy for a call. The lowest is chosen; the host that had no call for longest wins a tie."""

OURS = "completion_time"
"""The policy of the engine itself, which is no rank of hosts."""
MOST_SESSIONS = 10_000


class Memo:
    """What the policies remember."""

    def __init__(self) -> None:
        self.homes: dict[str, str] = {}
        """The host of each session."""
        self.latency: dict[tuple[str, str], float] = {}
        """The mean time of a call, for each host and model."""

    def finished(self, copy: Copy, seconds: float) -> None:
        key = (copy.host.name, copy.model)
        self.latency[key] = self.latency.get(key, seconds) * 0.8 + 0.2 * seconds


def round_robin(copy: Copy, call: Call, memo: Memo) -> Any:  # noqa: ARG001
    return 0


def least_busy(copy: Copy, call: Call, memo: Memo) -> Any:  # noqa: ARG001
    return copy.host.in_flight


def fastest(copy: Copy, call: Call, memo: Memo) -> Any:  # noqa: ARG001
    return memo.latency.get((copy.host.name, copy.model), 0.0)


def resource(copy: Copy, call: Call, memo: Memo) -> Any:  # noqa: ARG001
    """The host with the most free memory; one that holds the model needs none."""
    held = sum(other.bytes() for other in copy.host.residents)
    free = copy.host.memory.capacity - held - (0.0 if copy.state is State.RESIDENT else copy.bytes())
    return (copy.host.in_flight > copy.slots, -free)


def warm_first(copy: Copy, call: Call, memo: Memo) -> Any:  # noqa: ARG001
    return (copy.state is not State.RESIDENT, copy.host.in_flight)


def sticky(copy: Copy, call: Call, memo: Memo) -> Any:
    return (copy.host.name != memo.homes.get(call.session, ""), copy.host.in_flight)


POLICIES: Mapping[str, Policy] = {policy.__name__: policy for policy in (round_robin, least_busy, fastest, resource, warm_first, sticky)}


def pick(policy: Policy, copies: Sequence[Copy], call: Call, memo: Memo) -> Copy:
    """The copy that a policy chooses."""
    chosen = min(copies, key=lambda copy: (policy(copy, call, memo), copy.host.sent, copy.host.name))
    if call.session:
        memo.homes.pop(call.session, None)
        memo.homes[call.session] = chosen.host.name
        if len(memo.homes) > MOST_SESSIONS:
            del memo.homes[next(iter(memo.homes))]
    return chosen
