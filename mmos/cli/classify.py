"""`mmos classify`: says what kind of task a text is, what it needs, and which rule it would meet. No model is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.lines import STDIN, Form, answer_lines, jsonl_option, lines_of
from mmos.cli.options import Options, shared_options
from mmos.cli.output import print_json
from mmos.cli.styles import style
from mmos.cli.tables import IN_A_PIPE, Cell, table, terminal_width
from mmos.cli.text import flat, hanging
from mmos.errors import UsageError

if TYPE_CHECKING:
    from mmos.choice.classifier import Classification, Classifier
    from mmos.choice.facts import Tried
    from mmos.config.routing_schema import Rule

HINT = 'Give it JSON lines, each {"text": "…"}: mmos classify --jsonl texts.jsonl'
VALUES = (
    "type",
    "confidence",
    "sure",
    "complexity",
    "requires_speed",
    "context_tokens",
    "languages",
    "needs_tools",
    "needs_vision",
    "needs_long_context",
    "why",
    "chances",
)
"""What is printed of a classification."""
FORM = Form("text", reads=frozenset({"text"}), writes=frozenset({*VALUES, "rule", "rules", "error"}))


@click.command(options_metavar="[OPTIONS]")
@click.argument("text", required=False, metavar="[TEXT|-]")
@jsonl_option('Read JSON lines, each {"text": "…"}')
@click.option("--rules", "with_rules", is_flag=True, help="Also show which rule of the configuration the text meets, and why.")
@shared_options
def classify(options: Options, /, text: str | None, jsonl: str | None, *, with_rules: bool) -> int:
    """Say what kind of task a text is, how hard it is, and what it needs.

    Without TEXT, or with `-`, the text comes from stdin. No model is asked. Below 50 % confidence the class is a guess, and rules do not
    see it. Your own classes come from `routing.classes` of the configuration.

    \b
    mmos classify "Why does the build fail since Monday?"
    git log -1 --format=%B | mmos classify --rules
    mmos classify --jsonl texts.jsonl > classes.jsonl
    """
    judge = _judge(options, with_rules=with_rules)
    if jsonl is not None:
        if text is not None:
            raise click.UsageError("TEXT and --jsonl cannot be used together: each names what to read. Give one of them.")
        with lines_of(jsonl, HINT) as given:
            return answer_lines(given, FORM, lambda fields: _as_dict(fields["text"], judge))
    given_text = _text(text)
    if options.json:
        print_json({"version": 1, **_as_dict(given_text, judge)})
    else:
        _show(given_text, judge)
    return 0


def _text(text: str | None) -> str:
    from mmos.cli.task import is_piped, read_stdin
    from mmos.files import text_of

    if text is not None and text != STDIN:
        return text
    if text is None and not is_piped():
        raise UsageError("There is no text.", next_step='Write it: mmos classify "Explain this." Or on stdin: mmos classify < task.txt')
    return text_of("The text on stdin", read_stdin())


@dataclass(frozen=True)
class Judge:
    """What the configuration says about classes and rules."""

    classifier: Classifier
    rules: Sequence[Rule] | None = None
    """None: nobody asked for them."""

    def classify(self, text: str) -> tuple[Classification, list[Tried] | None]:
        """What the text is, and the rules up to the first that it meets. Rules about more than the task come later, in the run."""
        from mmos.choice.facts import Rules, facts_of

        found = self.classifier.classify(text)
        if self.rules is None:
            return found, None
        facts, tried = facts_of(text, found), []
        for number, rule in enumerate(self.rules, 1):
            one = Rules.of([(rule.condition, rule.specialist or "")]).tried(facts)[0]
            tried.append(replace(one, number=number, holds=one.holds and not _is_later(one)))
            if tried[-1].holds:
                break
        return found, tried


def _is_later(one: Tried) -> bool:
    return not all(name.startswith("task.") for name in one.facts)


def _judge(options: Options, *, with_rules: bool) -> Judge:
    from mmos.choice.classifier import classifier_of

    if not with_rules and not _may_have_classes(options.file().path):
        return Judge(classifier_of({}))
    routing = options.source().orchestration.routing
    rules = [rule.model_copy(update={"enforce": routing.enforce if rule.enforce is None else rule.enforce}) for rule in routing.rules]
    return Judge(classifier_of(routing.classes), rules if with_rules else None)


def _may_have_classes(path: Path | None) -> bool:
    """Whether the file has the word. Most have none, and reading a configuration takes longer than everything else here."""
    try:
        return path is not None and b"classes" in path.read_bytes()
    except OSError:  # loading it says what is wrong
        return True


def _as_dict(text: str, judge: Judge) -> dict[str, Any]:
    found, tried = judge.classify(text)
    document: dict[str, Any] = {name: getattr(found, name) for name in VALUES}
    if tried is not None:
        document["rule"] = tried[-1].number if tried and tried[-1].holds else None
        document["rules"] = [
            {"condition": one.condition, **_actions(rule), "holds": one.holds, "facts": _shortened(one.facts)}
            for one, rule in zip(tried, judge.rules or (), strict=False)
        ]
    return document


def _actions(rule: Rule) -> dict[str, Any]:
    """What a rule does, by its keys."""
    return {name: getattr(rule, name) for name in ("specialist", "prefer", "model", "strategy", "pattern", "enforce")}


def _shortened(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts without the text itself, which whoever asks has."""
    return {name: "…" if name == "task.text" else value for name, value in facts.items()}


def _show(text: str, judge: Judge) -> None:
    found, tried = judge.classify(text)
    click.echo(f"{style(found.type or 'unknown', 'bold')}  {_certainty(found)}")
    for name, value in _values(found):
        click.echo("\n".join(hanging(f"  {name:<12}", flat(value), terminal_width() or IN_A_PIPE)))
    if tried is not None:
        _show_rules(tried, judge.rules or ())


def _certainty(found: Classification) -> str:
    if found.type is None:
        return "the text has no words"
    share = f"{min(99, int(found.confidence * 100))}%"
    second = sorted(found.chances, key=lambda name: -found.chances[name])[1]
    return f"{share} sure" if found.sure else f"a guess: {share} sure, {second} {found.chances[second]:.0%}"


def _values(found: Classification) -> list[tuple[str, str]]:
    parts = {name: words for name, colon, words in (reason.partition(": ") for reason in found.why) if colon}
    needs = (("tools", found.needs_tools), ("vision", found.needs_vision), ("long context", found.needs_long_context))
    needed = [f"{name} ({parts[name]})" for name, is_needed in needs if is_needed]
    own = [reason for reason in found.why if reason.startswith(("'", "it "))]
    return [
        ("complexity", f"{found.complexity} of 10 ({parts[f'complexity {found.complexity}']})"),
        ("speed", f"required ({parts['speed']})" if found.requires_speed else "not required"),
        ("context", f"{found.context_tokens:,} tokens"),
        ("languages", ", ".join(found.languages) or "none"),
        ("needs", ", ".join(needed) or "nothing more"),
        ("why", ", ".join(own) or "nothing speaks for a class"),
    ]


def _show_rules(tried: Sequence[Tried], rules: Sequence[Rule]) -> None:
    click.echo()
    if not tried:
        click.echo("The configuration has no rules.")
        return
    table(("RULE", "MET", "DOES", "CONDITION", "WHY"), [_row(one, rule) for one, rule in zip(tried, rules, strict=False)])
    if not tried[-1].holds:
        click.echo("No rule is met.")


def _row(one: Tried, rule: Rule) -> list[Cell]:
    facts = [f"{name} is {'not known' if value is None else _written(value)}" for name, value in _shortened(one.facts).items()]
    met: Cell = ("yes", "ok") if one.holds else "later" if _is_later(one) else "no"
    return [str(one.number), met, _does(rule), one.condition, ", ".join(facts)]


def _does(rule: Rule) -> str:
    """What a rule does, like `advises model: qwen3:32b`."""
    named = [f"{name} {_written(value)}" for name, value in _actions(rule).items() if value and name != "enforce"]
    return f"{'orders' if rule.enforce else 'advises'} {', '.join(named)}"


def _written(value: Any) -> str:
    return ", ".join(value) or "empty" if isinstance(value, list) else str(value).lower() if isinstance(value, bool) else str(value)
