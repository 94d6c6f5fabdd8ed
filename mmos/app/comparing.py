"""The part of an app that compares ways of answering on the same cases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmos.app.contest import Hall
    from mmos.app.evaluating import Evaluation, Place
    from mmos.comparing.cases import Case
    from mmos.comparing.comparison import Comparison
    from mmos.comparing.sides import Side


class Comparing:
    """Compares ways of answering."""

    async def compare(
        self: Hall,
        sides: Sequence[str | Side],
        cases: Iterable[str | Case | Mapping[str, Any]],
        *,
        samples: int = 1,
        judge: str = "",
        concurrency: int | None = None,
        within: float = 0.03,
        seed: int | None = None,
    ) -> Comparison:
        """Let sides answer the same cases, and say which is better, how sure that is, and what each costs.

        Every answer is a run in the journal. An answer that does not come counts as wrong.

        Args:
            sides: At least two: a model (`MODEL` or `MODEL@HOST`), `role:NAME`, `arbiter` for the whole of MMOS, `strategy:NAME`, or a `Side` with a function.
            cases: Texts, `Case`s, or mappings with the fields of a case file.
            samples: How many answers each side gives to each case.
            judge: The model or `role:NAME` that compares the answers to cases that expect nothing. `auto`: a model that is no side.
            concurrency: How many answers are made at once. None: as many as the hosts serve at once.
            within: A side that is less than this worse counts as equally good.
            seed: Of the models, and of the chance in the statistics. None: each model chooses its own.

        Example::

            cases = [mmos.Case("What is 6 times 7?", 42), mmos.Case("Capital of France?", "Paris")]
            comparison = await app.compare(["qwen2.5:14b", "role:coding"], cases)
            print(comparison.verdicts[0])
        """
        from mmos.app.contest import Contest, Terms  # a run that compares nothing imports none of this
        from mmos.app.entrants import entrants_of, judge_of
        from mmos.app.standing import check_models, check_terms, comparison_of, numbered

        listed = list(numbered(cases))
        check_terms(listed, judge, samples, within)
        entrants = entrants_of(self, sides)
        judge = await judge_of(self, entrants, judge)
        contest = Contest(self, entrants, listed, Terms(samples, concurrency, judge, seed))
        await check_models(self, contest.entrants)
        await contest.hold()
        return comparison_of(contest, within, seed or 0)

    async def evaluate(
        self: Place,
        pattern: str,
        cases: Iterable[str | Case | Mapping[str, Any]],
        *,
        samples: int = 1,
        judge: str = "",
        seed: int | None = None,
    ) -> Evaluation:
        """Let a pattern and each of its members alone answer the same cases, and say whether the pattern is better than the best of them.

        What came of it is kept: `mmos doctor` warns of a pattern that does not win, and votes trust members by it.

        Args:
            pattern: The name of a pattern of the configuration, or of one that is built in.
            cases: Texts, `Case`s, or mappings with the fields of a case file.
            samples: How many answers each side gives to each case.
            judge: As for `compare`.
            seed: As for `compare`.

        Example::

            evaluation = await app.evaluate("second_opinion", [mmos.Case("What is 6 times 7?", 42)])
            print(evaluation.text)
        """
        from mmos.app.contest import Contest, Terms  # a run that evaluates nothing imports none of this
        from mmos.app.entrants import entrants_of, judge_of
        from mmos.app.evaluating import evaluation_of, keep, sides_of
        from mmos.app.standing import check_models, check_terms, numbered

        listed = list(numbered(cases))
        check_terms(listed, judge, samples, 0.0)
        entrants = entrants_of(self, sides_of(self.config, pattern))
        contest = Contest(self, entrants, listed, Terms(samples, None, await judge_of(self, entrants, judge), seed))
        await check_models(self, contest.entrants)
        await contest.hold()
        evaluation = evaluation_of(contest, pattern, seed=seed or 0)
        await keep(self, contest, evaluation)
        return evaluation
