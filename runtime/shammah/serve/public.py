"""What every program may ask at the port that has the token: how it is, what was learnt, a rating, a training."""

import os
from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from shammah import adapter_facts, schedule, worker
from shammah import feedback as path_of_feedback
from shammah.errors import ConfigError, UsageError
from shammah.feedback import Feedback
from shammah.journal import Journal
from shammah.journal.counted import Scope
from shammah.serve import metrics
from shammah.serve.body import body_of
from shammah.serve.house import House
from shammah.settings import Settings
from shammah.stats import figures
from shammah.teacher import Access

T = TypeVar("T")
_TEXTS = ("id", "rating", "note", "answer")


def routes(house: House) -> list[Route]:
    """The routes that are no API of others."""
    own = Public(house)
    return [
        Route("/health", own.health, methods=["GET"]),
        Route("/metrics", own.metrics, methods=["GET"]),
        Route("/stats", own.stats, methods=["GET"]),
        Route("/adapters", own.adapters, methods=["GET"]),
        Route("/feedback", own.feedback, methods=["POST"]),
        Route("/v1/feedback", own.feedback, methods=["POST"]),
        Route("/train", own.train, methods=["POST"]),
    ]


class Public:
    """Answers from the journal; each request opens it anew, in a thread that may wait for the disk."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def health(self, _: Request) -> Response:
        """Whether questions are answered; nothing else is told without the token."""
        state = self._house.state
        return JSONResponse({"status": "ok" if state == "ready" else state}, 200 if state == "ready" else 503)

    async def metrics(self, _: Request) -> Response:
        """For Prometheus."""
        return PlainTextResponse(metrics.text(self._house), media_type="text/plain; version=0.0.4")

    async def stats(self, _: Request) -> Response:
        """What `shammah stats --json` says."""
        settings = self._house.settings

        def gather(journal: Journal) -> Any:
            return figures.as_object(figures.gather(journal, settings, Scope(), None, date.today()))

        return JSONResponse(await self._read(gather))

    async def adapters(self, _: Request) -> Response:
        """What `shammah adapters list --json` says, but for what lies where."""

        def gather(journal: Journal) -> Any:
            rows = (adapter_facts.as_object(journal, one) for one in journal.adapters.all())
            return [{name: value for name, value in row.items() if name != "file"} for row in rows]

        return JSONResponse(await self._read(gather))

    async def feedback(self, request: Request) -> Response:
        """Rate an answer, as `shammah feedback` does: `id`, `rating`, and perhaps `note` and `answer`."""
        body = await _object(request, _TEXTS)
        settings, said = self._house.settings, _said(body)
        return JSONResponse(await self._read(lambda journal: _rate(journal, settings, body.get("id", ""), said)))

    async def train(self, request: Request) -> Response:
        """Begin a training in the background, as `shammah train --background` does."""
        await _object(request, ())
        settings = self._house.settings

        def queue(journal: Journal) -> Any:
            schedule.open_training(settings.home, journal)  # one that was killed is no obstacle
            training = schedule.queue(settings, journal)
            worker.start(settings.home, settings.offline)
            return {"training": training.number, "state": training.state}

        return JSONResponse(await self._read(queue), 202)

    async def _read(self, work: Callable[[Journal], T]) -> T:
        """Do something with the journal."""

        def run() -> T:
            with Journal(self._house.home) as journal:
                return work(journal)

        return await run_in_threadpool(run)


def _said(body: dict[str, str]) -> Feedback:
    rating = body.get("rating", "").lower()
    if rating not in path_of_feedback.NAMES:
        raise UsageError(f"{rating!r} is no rating", hint=f"It is one of {', '.join(path_of_feedback.NAMES)}.")
    return Feedback(path_of_feedback.NAMES[rating], body.get("note", "").strip(), body.get("answer", "").strip())


def _rate(journal: Journal, settings: Settings, id: str, said: Feedback) -> Any:
    question = journal.question(id)
    if not id:
        raise UsageError("`id` is missing", hint="An answer's object has it.")
    if question is None:
        raise UsageError(f"no one question has the id {id!r}", hint="An answer's object has it.")
    needs_target = said.rating.is_rejection and not said.target
    may_hear = path_of_feedback.may_hear(said, question, settings.privacy.never_forward)
    new = path_of_feedback.rate(journal, question, said, needs_target and may_hear and _has_teacher(settings))
    due = schedule.consider(journal, settings)
    if settings.worker.enabled and journal.jobs.waiting():
        worker.start(settings.home, settings.offline)
    return {
        "id": question.id,
        "rating": new.rating,
        "weight": new.rating.weight,
        "is_learnt": new.example.completion is not None,
        "is_looked_for": new.wants_target,
        "note": due,
    }


def _has_teacher(settings: Settings) -> bool:
    try:
        return not settings.offline and Access.find(settings.teacher, os.environ) is not None
    except ConfigError:  # a rating is not lost over it
        return False


async def _object(request: Request, names: tuple[str, ...]) -> dict[str, str]:
    """A request's body: an object of texts, with no other names than these."""
    body = await body_of(request)
    if not all(isinstance(value, str) for value in body.values()):
        raise UsageError("the body is no object of texts", hint=f"It may have {', '.join(names) or 'nothing'}.")
    if unknown := set(body) - set(names):
        raise UsageError(f"{min(unknown)!r} is unknown", hint=f"It may have {', '.join(names) or 'nothing'}.")
    return body
