"""How router and validator decided, beside what turned out."""

from dataclasses import dataclass

from shammah.database import Database

# The router's last lesson on a question tells whether its local answer was good; a draft is a local answer that was
# meant to be shown.
_DECIDED = """
SELECT taught.is_good AS is_good, shown.side = 'local' AS is_shown,
    EXISTS (SELECT 1 FROM answers draft WHERE draft.question = q.number AND draft.side = 'local'
        AND draft.reason = 'local_confident') AS is_draft
FROM (SELECT question, is_good, max(id) FROM lessons WHERE head = 'router' AND lineage = :lineage
    GROUP BY question) taught
JOIN questions q ON q.number = taught.question AND q.is_counted
JOIN answers shown ON shown.question = q.number AND shown.is_shown
"""
_RECENT = """
SELECT avg(shown.side = 'teacher') FROM (SELECT number FROM questions WHERE lineage = :lineage AND is_counted
    ORDER BY number DESC LIMIT :recent) q JOIN answers shown ON shown.question = q.number AND shown.is_shown
"""
_DIVERGENCE = """
SELECT avg(divergence) FROM (SELECT a.divergence FROM answers a JOIN questions q ON q.number = a.question
    WHERE q.lineage = :lineage AND a.divergence IS NOT NULL ORDER BY a.id DESC LIMIT :recent)
"""


@dataclass(frozen=True, slots=True)
class Scores:
    """What the heads decided on counted questions whose local answer was judged later, and two recent means.

    Attributes:
        forward_rate: Share of the newest questions that the teacher answered; None before the first.
        router_correct_forward: Forwarded, and the local answer was bad.
        router_correct_local: Drafted locally, and the local answer was good.
        router_incorrect: The rest of both.
        validator_correct_reject: Drafts that were forwarded after all, and were bad.
        validator_correct_approve: Drafts that were given, and were good.
        validator_incorrect: The rest of both.
        avg_divergence: Of the newest comparisons; None before the first.
    """

    forward_rate: float | None
    router_correct_forward: int
    router_correct_local: int
    router_incorrect: int
    validator_correct_reject: int
    validator_correct_approve: int
    validator_incorrect: int
    avg_divergence: float | None


class ScoreRows:
    """The decisions of a home's heads."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of(self, lineage: str, recent: int) -> Scores:
        """How the heads of a base decided so far; means are over so many of the newest."""
        places = {"lineage": lineage, "recent": recent}
        found = [tuple(map(bool, row)) for row in self._db.execute(_DECIDED, {"lineage": lineage})]
        forwarded = [is_good for is_good, is_shown, is_draft in found if not is_draft and not is_shown]
        drafts = [(is_good, is_shown) for is_good, is_shown, is_draft in found if is_draft]
        kept, sent_on = drafts.count((True, True)), drafts.count((False, False))
        good = sum(is_good for is_good, _ in drafts)
        return Scores(
            forward_rate=self._db.execute(_RECENT, places).fetchone()[0],
            router_correct_forward=forwarded.count(False),
            router_correct_local=good,
            router_incorrect=forwarded.count(True) + len(drafts) - good,
            validator_correct_reject=sent_on,
            validator_correct_approve=kept,
            validator_incorrect=len(drafts) - kept - sent_on,
            avg_divergence=self._db.execute(_DIVERGENCE, places).fetchone()[0],
        )
