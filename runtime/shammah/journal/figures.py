"""What statistics are counted from: one statement a figure, each read to its end at once.

An open cursor would keep writers from committing; so the figures of one report may be a commit apart.
"""

import json
from datetime import datetime, time
from typing import Any

from shammah.database import Database
from shammah.divergence import Method
from shammah.generation import ActiveSet
from shammah.journal.counted import Activation, BaseCount, BlindCount, Compared, Label, Pairs, Scope, Spent, Tally, Wait
from shammah.policy import Reason
from shammah.times import stamp

USER = "user"
LEAST_PROPENSITY = 0.01
"""No answer stands for more than a hundred."""

_SCOPE = "q.created >= :since AND q.lineage = coalesce(:base, q.lineage)"
_DAY = "date(q.created, 'localtime')"
_ASKED = f"SELECT {_DAY} AS day, count(*) AS asked FROM questions q WHERE {_SCOPE} GROUP BY 1 ORDER BY 1"
_BASES = f"""
SELECT asked.lineage AS sha256, asked.questions AS questions, coalesce((SELECT name FROM bases
    WHERE sha256 = asked.lineage ORDER BY probed DESC LIMIT 1), '') AS name
FROM (SELECT q.lineage, count(*) AS questions, max(q.number) AS newest FROM questions q WHERE {_SCOPE}
    GROUP BY q.lineage) asked ORDER BY asked.newest DESC
"""
_TALLIES = f"""
SELECT {_DAY} AS day, q.is_counted AS is_counted, a.side AS side, a.is_shown AS is_shown, a.reason AS reason,
    count(*) AS answers, sum(a.prompt_tokens) AS prompt_tokens, sum(a.completion_tokens) AS completion_tokens,
    coalesce(sum(a.cost_usd), 0.0) AS cost_usd
FROM questions q JOIN answers a ON a.question = q.number WHERE {_SCOPE} GROUP BY 1, 2, 3, 4, 5 ORDER BY 1
"""
_TEACHERS = f"""
SELECT DISTINCT a.model AS model FROM questions q JOIN answers a ON a.question = q.number
WHERE a.side = 'teacher' AND {_SCOPE} ORDER BY 1
"""
# A lesson is younger than its question.
_LABELS = f"""
SELECT l.answer, l.question, l.created AS taught, l.is_good, l.source, {_DAY} AS day, q.lineage, q.is_counted,
    q.router_probability, q.propensity, a.created AS answered, a.validator_probability, a.is_shown, a.reason, a.adapters
FROM lessons l JOIN questions q ON q.number = l.question JOIN answers a ON a.id = l.answer
WHERE l.head = 'router' AND l.created >= :since AND a.side = 'local' AND {_SCOPE} ORDER BY l.source = '{USER}', l.id
"""
_COMPARED = f"""
SELECT {_DAY} AS day, a.method AS method, a.divergence AS divergence FROM questions q
JOIN answers a ON a.question = q.number WHERE a.divergence IS NOT NULL AND {_SCOPE}
"""
_WAITS = f"""
SELECT {_DAY} AS day, a.side AS side, json_extract(a.seconds, '$.total') AS seconds,
    coalesce(json_extract(a.seconds, '$.local'), 0.0) AS local_seconds, a.completion_tokens AS completion_tokens
FROM questions q JOIN answers a ON a.question = q.number AND a.is_shown
WHERE json_extract(a.seconds, '$.total') IS NOT NULL AND {_SCOPE}
"""
_SPENT = """
SELECT s.day AS day, sum(s.usd * s.is_settled) AS settled_usd, sum(s.usd * (1 - s.is_settled)) AS reserved_usd
FROM spending s WHERE s.day >= :day
    AND (:base IS NULL OR s.question IN (SELECT number FROM questions WHERE lineage = :base))
GROUP BY s.day ORDER BY s.day
"""
_JUDGE_USD = f"""
SELECT coalesce(sum(j.cost_usd), 0.0) AS usd FROM judgements j JOIN answers a ON a.id = j.local
JOIN questions q ON q.number = a.question WHERE {_SCOPE}
"""
# Of all times: how many tokens the teacher takes for the same question is a matter of both models, not of the period.
_PAIRS = """
SELECT count(*) AS pairs, coalesce(sum(l.prompt_tokens), 0) AS local_prompt,
    coalesce(sum(t.prompt_tokens), 0) AS teacher_prompt, coalesce(sum(l.completion_tokens), 0) AS local_completion,
    coalesce(sum(t.completion_tokens), 0) AS teacher_completion
FROM questions q JOIN answers l ON l.question = q.number AND l.side = 'local' AND l.finish = 'stop'
    JOIN answers t ON t.question = q.number AND t.side = 'teacher' AND t.finish = 'stop'
WHERE q.lineage = coalesce(:base, q.lineage)
"""
_ACTIVATIONS = """
SELECT v.created, v.base, v.adapters, v.why, coalesce((SELECT name FROM bases WHERE sha256 = v.base
    ORDER BY probed DESC LIMIT 1), '') AS name
FROM activations v WHERE v.base = coalesce(:base, v.base) ORDER BY v.base, v.number
"""
_TRAININGS = """
SELECT state, count(*) AS trainings FROM trainings WHERE created >= :since AND base = coalesce(:base, base)
GROUP BY state ORDER BY state
"""
_RATINGS = f"""
SELECT a.side AS side, r.rating AS rating, count(*) AS answers
FROM (SELECT answer, rating, max(id) FROM ratings GROUP BY answer) r JOIN answers a ON a.id = r.answer
JOIN questions q ON q.number = a.question WHERE {_SCOPE} GROUP BY 1, 2
"""
_BLIND = f"""
SELECT one, other, sum(picked = one) AS picked_one, sum(picked = other) AS picked_other, sum(picked = '') AS as_good
FROM (SELECT min(c.first_name, c.second_name) AS one, max(c.first_name, c.second_name) AS other,
    CASE c.picked WHEN 'first' THEN c.first_name WHEN 'second' THEN c.second_name ELSE '' END AS picked
    FROM comparisons c JOIN answers a ON a.id = c.first JOIN questions q ON q.number = a.question WHERE {_SCOPE})
GROUP BY 1, 2 ORDER BY 1, 2
"""


class FigureRows:
    """What the statistics of a home are counted from."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def asked(self, scope: Scope) -> dict[str, int]:
        """Questions by day, also those that nobody answered."""
        return {row["day"]: row["asked"] for row in self._read(_ASKED, scope)}

    def bases(self, scope: Scope) -> list[BaseCount]:
        """The base models of the questions, that of the newest question first."""
        return [BaseCount(**row) for row in self._read(_BASES, scope)]

    def teachers(self, scope: Scope) -> list[str]:
        """The models of the teacher's answers."""
        return [row["model"] for row in self._read(_TEACHERS, scope)]

    def tallies(self, scope: Scope) -> list[Tally]:
        """All answers, by what they have in common."""
        rows = self._read(_TALLIES, scope)
        return [Tally(**row | {name: bool(row[name]) for name in ("is_counted", "is_shown")}) for row in rows]

    def labels(self, scope: Scope) -> list[Label]:
        """The local answers that were judged."""
        rows = self._read(_LABELS, scope)
        first: dict[int, str] = {}
        for row in rows:
            first[row["question"]] = min(row["taught"], first.get(row["question"], row["taught"]))
        last = {row["answer"]: row for row in rows}
        return [_label(row, first[row["question"]]) for row in last.values()]

    def compared(self, scope: Scope) -> list[Compared]:
        """How far local answers were from the teacher's."""
        return [Compared(**row) for row in self._read(_COMPARED, scope)]

    def waits(self, scope: Scope) -> list[Wait]:
        """How long each answer was waited for."""
        return [Wait(**row) for row in self._read(_WAITS, scope)]

    def spent(self, scope: Scope) -> list[Spent]:
        """What the teacher cost, by the day on which it was asked."""
        return [Spent(**row) for row in self._read(_SPENT, scope)]

    def judge_usd(self, scope: Scope) -> float:
        """What the judge cost."""
        return float(self._read(_JUDGE_USD, scope)[0]["usd"])

    def pairs(self, scope: Scope) -> Pairs:
        """Tokens of both sides where both answered; of all times."""
        return Pairs(**self._read(_PAIRS, scope)[0])

    def activations(self, scope: Scope) -> list[Activation]:
        """What was applied to each base, oldest first; of all times."""
        return [Activation(**row | {"adapters": _active(row["adapters"])}) for row in self._read(_ACTIVATIONS, scope)]

    def trainings(self, scope: Scope) -> dict[str, int]:
        """How many trainings are in which state."""
        return {row["state"]: row["trainings"] for row in self._read(_TRAININGS, scope)}

    def ratings(self, scope: Scope) -> dict[tuple[str, str], int]:
        """How many answers of a side were rated so; the last rating of an answer counts."""
        return {(row["side"], row["rating"]): row["answers"] for row in self._read(_RATINGS, scope)}

    def blind(self, scope: Scope) -> list[BlindCount]:
        """Blind comparisons, by who was compared; whichever was shown first."""
        return [BlindCount(**row) for row in self._read(_BLIND, scope)]

    def _read(self, statement: str, scope: Scope) -> list[dict[str, Any]]:
        return [dict(row) for row in self._db.execute(statement, _places(scope)).fetchall()]


def first_moment(scope: Scope) -> str:
    """When a scope begins, as the journal writes times; empty, which is before all of them, where it has no bound."""
    if scope.since is None:
        return ""
    return stamp(scope.since if isinstance(scope.since, datetime) else datetime.combine(scope.since, time()))


def _places(scope: Scope) -> dict[str, str | None]:
    return {"since": first_moment(scope), "day": scope.first_day, "base": scope.base}


def _label(row: dict[str, Any], first_lesson: str) -> Label:
    is_by_user = row["source"] == USER
    # A rating by a person who was not drawn stands for its answer alone.
    propensity = 1.0 if row["propensity"] is None or is_by_user else row["propensity"]
    is_untaught = row["answered"] <= first_lesson
    return Label(
        day=row["day"],
        answered=row["answered"],
        base=row["lineage"],
        adapters=_active(row["adapters"]),
        is_counted=bool(row["is_counted"]),
        is_given=bool(row["is_shown"]) and row["reason"] == Reason.LOCAL_CONFIDENT,
        router=row["router_probability"],
        validator=row["validator_probability"] if is_untaught else None,
        is_bad=not row["is_good"],
        source=row["source"],
        weight=1 / max(LEAST_PROPENSITY, propensity),
        is_certain=is_by_user or row["source"] == Method.JUDGE,
    )


def _active(text: str) -> ActiveSet:
    return tuple((name, scale) for name, scale in json.loads(text))
