"""
The runner: executes a plan, blocking or streaming. The only place that knows concurrency and that calls a model.

A plan is opened: what fails before the first content fails there, where the next attempt or model can still take over.
What is opened is an answer, or a stream that has begun; whoever has it closes its generator, which holds no cancel scope
across a yield.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from attrs import define, evolve, frozen

from pingpong import _errors as errors
from pingpong._attempts import Attempts, Trip
from pingpong._endpoints import Target
from pingpong._errors import PingPongError, PluginError, blamed
from pingpong._events import Event, StreamStart
from pingpong._outcomes import Ask, Fusion, Outcome, Purpose, Truncation, Verdict
from pingpong._plans import Call, Cascade, Check, Ensemble, Fallback, Plan, Refuse, RefuseReason, Step
from pingpong._policies import PolicyRecord, RetryPolicy
from pingpong._requests import Request
from pingpong._responses import Response
from pingpong._runs import Run

# A question may lead to one more, never further, so that a plan stays bounded (adr/0004).
MAX_ASK_DEPTH = 2

_REFUSALS: dict[RefuseReason, type[PingPongError]] = {
    "no_route": errors.NoRoute,
    "policy": errors.NoRoute,
    "budget": errors.BudgetExceeded,
    "clarification": errors.NeedsClarification,
}

# What a step of each kind gives in the end, and what its questions are asked for.
_STEPS: dict[str, tuple[type, Purpose]] = {
    "validators": (Verdict, "judge"),
    "fusers": (Fusion, "fuse"),
    "truncators": (Truncation, "summary"),
}


@frozen
class Begun:
    """A stream whose first content is here: `head` comes first. When `rest` is over, `Run.streamed` is the whole answer."""

    head: tuple[Event, ...]
    rest: AsyncGenerator[Event, None]


@define(eq=False, kw_only=True)
class Runner:
    """
    Runs plans.

    Attributes:
        target: A model by its full id; raises `UnknownModelError`.
        make: A policy plugin by kind, name and parameters.
        record: Its record, by kind and name.
    """

    attempts: Attempts
    retries: RetryPolicy
    target: Callable[[str], Target]
    make: Callable[..., Any]
    record: Callable[[str, str], PolicyRecord]

    async def open(self, plan: Plan, run: Run, *, is_stream: bool) -> Any:
        """
        The answer of a plan, or with `is_stream` perhaps a stream that has begun.

        Calls and fallbacks stream as they come, and so does a check that cannot replace the answer; a plan that has to
        choose between answers gives the chosen one whole. Raises `PingPongError`s only, and cancellation.
        """
        match plan:
            case Call():
                return await self._call(plan, run, is_stream)
            case Fallback():
                return await self._fallback(plan, run, is_stream)
            case Cascade():
                return await self._cascade(plan, run)
            case Ensemble():
                return await self._ensemble(plan, run)
            case Check():
                return await self._check(plan, run, is_stream)
            case Refuse():
                raise _REFUSALS[plan.reason](plan.message)

    async def _call(self, call: Call, run: Run, is_stream: bool) -> Any:
        target, number = self.target(call.model), 0
        while True:
            number += 1
            try:
                trip = self.attempts.begin(call, target, number, run, is_stream=is_stream)
                return await (self._begun(trip) if is_stream else trip.whole(self._truncate))
            except PingPongError as error:
                if not await self._may_retry(call, number, error, run):
                    raise

    async def _may_retry(self, call: Call, number: int, error: PingPongError, run: Run) -> bool:
        """Ask the policy, and wait as it says. False where the error has to go up."""
        if number == call.max_attempts:
            return False
        left_s = run.deadline_s - self.attempts.clock.monotonic_s()
        with blamed(type(self.retries).__name__):
            wait_s = self.retries.next(number, error, left_s=left_s, draw=run.draw.random())
        if wait_s is None:
            return False
        await self.attempts.clock.sleep(wait_s)
        return True

    async def _begun(self, trip: Trip) -> Begun:
        """An attempt whose first content, or end, is here."""
        start = StreamStart(trip.info.card.provider, trip.info.card.model)
        events = trip.events(self._truncate)
        async for event in events:
            if not isinstance(event, StreamStart):
                return Begun((start, event), events)
            start = trip.run.start = event
        return Begun((start,), events)

    async def _fallback(self, plan: Fallback, run: Run, is_stream: bool) -> Any:
        failed: list[PingPongError] = []
        for node in plan.nodes:
            try:
                return await self.open(node, run, is_stream=is_stream)
            except errors.DeadlineExceeded:
                raise
            except PingPongError as error:
                failed.append(error)
        raise _all_failed(failed)

    async def _cascade(self, plan: Cascade, run: Run) -> Response:
        failed: list[PingPongError] = []
        best: tuple[float, Response] | None = None
        for node in plan.nodes:
            try:
                response = await self.open(node, run, is_stream=False)
            except errors.DeadlineExceeded:
                raise
            except PingPongError as error:
                failed.append(error)
                continue
            verdict = await self._stepped("validators", plan.detector, run, run.request, response)
            run.verdicts.append(verdict)
            run.reports.append(verdict)
            if best is None or verdict.score >= best[0]:
                best = (verdict.score, response)
            if verdict.score >= plan.threshold:
                break
        if best is None:
            raise _all_failed(failed)
        run.confidence, response = best
        return response

    async def _ensemble(self, plan: Ensemble, run: Run) -> Response:
        from anyio import create_task_group

        answers: dict[int, Response] = {}
        failed: dict[int, PingPongError] = {}

        async def member(i: int, node: Plan) -> None:
            try:
                answers[i] = await self.open(node, run, is_stream=False)
            except PingPongError as error:
                failed[i] = error

        async with create_task_group() as group:
            for i, node in enumerate(plan.nodes):
                group.start_soon(member, i, node)
        if not answers:
            raise _all_failed([failed[i] for i in sorted(failed)])
        responses = tuple(answers[i] for i in sorted(answers))
        fusion: Fusion = await self._stepped("fusers", plan.fuser, run, run.request, responses)
        run.confidence = fusion.agreement
        return fusion.response

    async def _check(self, plan: Check, run: Run, is_stream: bool) -> Any:
        may_replace = any(self.record("validators", v.name).may_replace for v in plan.validators)
        answer = await self.open(plan.node, run, is_stream=is_stream and not may_replace)
        if isinstance(answer, Begun):
            return Begun(answer.head, self._watched(plan, answer.rest, run))
        return await self._judged(plan, answer, run)

    async def _watched(self, plan: Check, events: AsyncGenerator[Event, None], run: Run) -> AsyncGenerator[Event, None]:
        async with aclosing(events):
            async for event in events:
                yield event
        await self._judged(plan, run.streamed, run)

    async def _judged(self, plan: Check, response: Response, run: Run) -> Response:
        for step in plan.validators:
            verdict: Verdict = await self._stepped("validators", step, run, run.request, response)
            run.verdicts.append(verdict)
            run.reports.append(verdict)
            response = verdict.replacement or response
            if verdict.is_rejected:
                reasons = "; ".join(f.reason for f in verdict.findings) or "no reason given"
                raise errors.AnswerRejected(f"The validator {step.name!r} rejects the answer: {reasons}", partial=response)
        return response

    async def _truncate(self, trip: Trip, request: Request, name: str) -> Request:
        """The truncate slot: the same request, made to fit the model by the truncator it names."""
        card, estimate = trip.target.card, trip.target.driver.estimate_tokens
        limit_tokens = (card.context_tokens or 0) - (request.max_output_tokens or card.max_output_tokens or 0)
        if card.context_tokens is None or trip.info.input_tokens <= limit_tokens:
            return request
        known = (request, limit_tokens, lambda r: estimate(r, card))
        truncation: Truncation = await self._stepped("truncators", Step(name), trip.run, *known)
        trip.run.truncated[:] = truncation.dropped
        return truncation.request

    async def _stepped(self, kind: str, step: Step, run: Run, *known: Any) -> Any:
        """Advance a pure step until it gives what its kind gives, asking what it asks; each of its plans at most once."""
        gives, purpose = _STEPS[kind]
        plugin = self.make(kind, step.name, step.params)
        told: list[Outcome] = []
        left = list(step.asks)
        while True:
            with blamed(f"The step {step.name!r}"):
                result = plugin.step(*known, tuple(told))
            if isinstance(result, gives):
                return result
            if not isinstance(result, Ask):
                raise PluginError(f"The step {step.name!r} gave {type(result).__name__}, not {gives.__name__}.")
            if result.plan not in left or run.depth >= MAX_ASK_DEPTH:
                raise PluginError(f"The step {step.name!r} asks for what the plan did not allow it.")
            left.remove(result.plan)
            told.append(await self._asked(result, run, purpose))

    async def _asked(self, ask: Ask, run: Run, purpose: Purpose) -> Outcome:
        clock = self.attempts.clock
        nested = evolve(
            run, request=ask.request, purpose=purpose, depth=run.depth + 1, n_before=len(run.attempts),
            started_s=clock.monotonic_s(), started_at=clock.utc_now(), operation="chat",
        )  # fmt: skip
        return nested.outcome(await self.open(ask.plan, nested, is_stream=False), clock.monotonic_s())


def _all_failed(failed: list[PingPongError]) -> PingPongError:
    """One error for several: an only one as it is, and a deadline that stopped them all as what it is."""
    if len(failed) == 1 or all(isinstance(e, errors.DeadlineExceeded) for e in failed):
        return failed[0]
    return errors.AllFailed(f"All {len(failed)} models of the plan failed.", failed)
