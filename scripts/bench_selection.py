"""Measures how well the selector learns, on simulated logs: its regret, and how soon it notices that a model has turned bad."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import mean

sys.path.insert(0, str(Path(__file__).parent.parent))

from mmos.journal import Journal
from mmos.plurals import counted
from mmos.selection.candidate import Candidate, Task
from mmos.selection.evidence import Evidence, Outcome
from mmos.selection.offline import Logged, Policy, always, as_logged, logged, value_of
from mmos.selection.outcomes import KINDS
from mmos.selection.selector import Selector

CLASSES = ("code_generation", "bug_fixing", "refactoring", "documentation", "code_analysis", "simple_query", "security_review")
CANDIDATES = (
    Candidate("arbiter", "qwen2.5:14b", "arbiter", frozenset({"FAST_INFERENCE"}), 32768, 14, usual=True),
    Candidate("coding", "qwen2.5-coder:32b", "coding", frozenset({"CODE_SPECIALIZED", "HIGH_QUALITY"}), 32768, 32),
    Candidate("reasoning", "qwen2.5:32b", "reasoning", frozenset({"REASONING", "HIGH_QUALITY"}), 32768, 32),
    Candidate("small", "llama3.2:3b", "small", frozenset({"FAST_INFERENCE"}), 8192, 3),
)
LOG = 300
"""Outcomes before the regret is measured, of each class or in all, and outcomes on which it is measured."""
SOON = 30
"""Outcomes within which it must notice a change."""
MOST_REGRET = 0.03

Truth = Callable[[str, str, int], float]
"""How likely a candidate does well in a class, at a step."""


@dataclass(frozen=True)
class World:
    """A simulated fleet: how good each candidate is in each class."""

    name: str
    good: dict[tuple[str, str], float]
    classes: Sequence[str]

    def best(self, kind: str) -> float:
        return max(self.good[kind, one.key] for one in CANDIDATES)


def world(chance: Random, classes: Sequence[str], *, helpful: bool) -> World:
    """`helpful`: what models are made for mostly says how good they are. Otherwise it says nothing."""
    good: dict[tuple[str, str], float] = {}
    for kind in classes:
        ranked = [choice.candidate.key for choice in Selector.of("score").choose(Task(kind), CANDIDATES, chance).rows]
        shares = sorted((chance.uniform(0.3, 0.95) for _ in CANDIDATES), reverse=helpful)
        good |= {(kind, key): share for key, share in zip(ranked, shares, strict=True)}
    return World("helpful" if helpful else "misleading", good, classes)


def regret(seed: int, classes: Sequence[str], log: int, *, helpful: bool) -> float:
    """The share of good outcomes that it loses against the best fixed choice for each class, after a log of so many outcomes."""
    chance = Random(seed)
    at, selector, lost, best = world(chance, classes, helpful=helpful), Selector.of("learning"), 0.0, 0.0
    for step in range(2 * log):
        kind = chance.choice(at.classes)
        key = _step(selector, kind, chance, lambda kind, key: at.good[kind, key])
        if step >= log:
            lost, best = lost + at.best(kind) - at.good[kind, key], best + at.best(kind)
    return lost / best


def _mean_regret(seeds: int, classes: Sequence[str], log: int, *, helpful: bool) -> float:
    return mean(regret(seed, classes, log, helpful=helpful) for seed in range(seeds))


def reaction(seed: int, classes: Sequence[str]) -> int:
    """Outcomes until a model that turned bad everywhere is chosen less than one time in five, of ten choices."""
    chance = Random(seed)
    at, selector = world(chance, classes, helpful=True), Selector.of("learning")
    favourite = [_step(selector, chance.choice(classes), chance, lambda kind, key: at.good[kind, key]) for _ in range(LOG)][-60:]
    turned = max(set(favourite), key=favourite.count)
    newest: list[bool] = []
    for step in range(10 * SOON):
        kind = chance.choice(
            [kind for kind in classes if max(CANDIDATES, key=lambda one: at.good[kind, one.key]).key == turned] or list(classes)
        )
        newest.append(_step(selector, kind, chance, lambda kind, key: 0.05 if key == turned else at.good[kind, key]) == turned)
        if step >= 9 and sum(newest[-10:]) < 2:
            return max(0, step - 9)
    return 10 * SOON


def _step(selector: Selector, kind: str, chance: Random, good: Callable[[str, str], float]) -> str:
    chosen = selector.choose(Task(kind), CANDIDATES, chance).chosen
    assert chosen is not None
    key = chosen.candidate.key
    selector.learn(Outcome(kind, key, float(chance.random() < good(kind, key))))
    return key


async def on_journal(folder: Path) -> int:
    """What ways of choosing would have been worth on the runs of a state folder."""
    async with await Journal.open(folder, read_only=True) as journal:
        choices = logged(await journal.read(kinds=KINDS))
    if not choices:
        print(f"No run in {folder} has taught anything. Rehearsed runs do not count.", file=sys.stderr)
    for kind in sorted({choice.kind for choice in choices}):
        of_class = [choice for choice in choices if choice.kind == kind]
        ways: dict[str, Policy] = {"as it was chosen": as_logged}
        ways |= {f"always {key}": always(key) for key in sorted({key for choice in of_class for key in choice.keys})}
        ways["by what was learned so far"] = learned_policy(of_class)
        for name, policy in ways.items():
            value = value_of(of_class, policy)
            print(f"{kind}: {name}: {value.mean:.1%} ± {2 * value.error:.1%} of {value.choices}")
    return 0


def learned_policy(choices: Sequence[Logged]) -> Policy:
    """What the selector would choose after the outcomes before each choice, without what it knows of models."""
    before, evidence = {}, Evidence()
    for choice in choices:
        beliefs = {key: evidence.belief(choice.kind, key, 0.5).mean for key in choice.keys}
        before[id(choice)] = max(beliefs, key=beliefs.__getitem__)
        evidence.learn(Outcome(choice.kind, choice.key, choice.reward))
    return lambda choice: {before[id(choice)]: 1.0}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=40, metavar="N", help="simulated logs of each kind")
    parser.add_argument("--journal", type=Path, metavar="FOLDER", help="a state folder: compare ways of choosing on its runs instead")
    parser.add_argument("--check", action="store_true", help="fail if a figure is not good enough")
    given = parser.parse_args()
    if given.journal is not None:
        return asyncio.run(on_journal(given.journal))
    good = True
    for count in (1, 3, 7):
        for helpful in (True, False):
            told = "what models are made for helps" if helpful else "what models are made for says nothing"
            each = _mean_regret(given.seeds, CLASSES[:count], LOG * count, helpful=helpful)
            whole = _mean_regret(given.seeds, CLASSES[:count], LOG, helpful=helpful)
            good &= each <= MOST_REGRET
            print(
                f"{counted(count, 'class', 'classes')}, {told}: regret {each:.1%} after {LOG} outcomes of each class, {whole:.1%} after {LOG} in all"
            )
        soon = sorted(reaction(seed, CLASSES[:count]) for seed in range(given.seeds))
        good &= soon[int(0.9 * len(soon))] <= SOON
        print(
            f"{counted(count, 'class', 'classes')}, a model turns bad: avoided after {soon[len(soon) // 2]} outcomes, "
            f"in nine of ten logs within {soon[int(0.9 * len(soon))]}"
        )
    return 0 if good or not given.check else 1


if __name__ == "__main__":
    sys.exit(main())
