"""
The runner: executes a plan, blocking or streaming. The only place that knows concurrency and that calls a model.

Streams are nested async generators that hold no cancel scope across a yield; whoever opens one closes it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from attrs import define, evolve

from pingpong._attempts import Attempts, Run, Trip
from pingpong._clock import Clock
from pingpong._endpoints import Target
from pingpong._errors import (
    AllFailed,
    AnswerRejected,
    BudgetExceeded,
    DeadlineExceeded,
    NeedsClarification,
    NoRoute,
    PingPongError,
    PluginError,
)
from pingpong._events import Event, StreamError, StreamStart, events_from_response, response_from_events
from pingpong._outcomes import Ask, Fusion, Outcome, Purpose, Truncation, Verdict
from pingpong._plans import Call, Cascade, Check, Ensemble, Fallback, Plan, Refuse, RefuseReason, Step
from pingpong._policies import Fuser, PolicyRecord, RetryPolicy, Truncator, Validator
from pingpong._requests import Request
from pingpong._responses import Response

MAX_ASK_DEPTH = 2
"""A question may lead to one more, never further, so that a plan stays bounded (adr/0004)."""

_REFUSALS: dict[RefuseReason, type[PingPongError]] = {
    "no_route": NoRoute,
    "policy": NoRoute,
    "budget": BudgetExceeded,
    "clarification": NeedsClarification,
}


@define(eq=False)
class Runner:
    """
    Runs plans.

    Attributes:
        target: A model by its full id; raises `UnknownModelError`.
        make: A policy plugin by kind, name and parameters.
        record: Its record, by kind and name.
    """

    clock: Clock
    attempts: Attempts
    retries: RetryPolicy
    target: Callable[[str], Target]
    make: Callable[..., Any]
    record: Callable[[str, str], PolicyRecord]

    async def run(self, plan: Plan, request: Request, run: Run) -> Response:
        """The plan's answer. Raises `PingPongError`s only, and cancellation."""
        match plan:
            case Call():
                return await self._call(plan, request, run)
            case Fallback():
                return await self._fallback(plan, request, run)
            case Cascade():
                return await self._cascade(plan, request, run)
            case Ensemble():
                return await self._ensemble(plan, request, run)
            case Check():
                return await self._check(plan, await self.run(plan.node, request, run), request, run)
            case Refuse():
                raise _REFUSALS[plan.reason](plan.message)

    def stream(self, plan: Plan, request: Request, run: Run) -> AsyncGenerator[Event, None]:
        """
        The plan's events, ending with one `StreamEnd` or `StreamError`; raises no `PingPongError`.

        Calls and fallbacks stream as they come; a plan that has to choose between answers tells the chosen one when it is whole.
        """
        match plan:
            case Call():
                return self._stream_call(plan, request, run)
            case Fallback():
                return self._stream_fallback(plan, request, run)
            case Check() if not any(self.record("validators", v.name).may_replace for v in plan.validators):
                return self._stream_check(plan, request, run)
            case _:
                return self._stream_whole(plan, request, run)

    async def _call(self, call: Call, request: Request, run: Run) -> Response:
        target = self.target(call.model)
        for number in range(1, call.max_attempts + 1):
            try:
                return await self.attempts.complete(call, target, number, request, run)
            except PingPongError as error:
                if not await self._may_retry(call, number, error, run):
                    raise
        raise AssertionError("a call makes at least one attempt")

    async def _stream_call(self, call: Call, request: Request, run: Run) -> AsyncGenerator[Event, None]:
        try:
            target = self.target(call.model)
        except PingPongError as error:
            yield StreamError(error)
            return
        for number in range(1, call.max_attempts + 1):
            start: StreamStart | None = None
            failed: StreamError | None = None
            async with aclosing(self.attempts.stream(call, target, number, request, run)) as events:
                async for event in events:
                    if isinstance(event, StreamStart):
                        start = run.last_start = event
                        continue
                    if isinstance(event, StreamError):
                        failed = event
                        break
                    if not run.is_committed:
                        run.is_committed = True
                        yield start or StreamStart(target.card.provider, target.card.model)
                    yield event
            if failed is None:
                return
            if run.is_committed or not await self._may_retry(call, number, failed.error, run):
                yield failed
                return

    async def _may_retry(self, call: Call, number: int, error: PingPongError, run: Run) -> bool:
        """Ask the policy, and wait as it says. False where the error has to go up."""
        if number == call.max_attempts:
            return False
        left_s = run.deadline_s - self.clock.monotonic_s()
        wait_s = self.retries.next(number, error, left_s=left_s, draw=run.draw.random())
        if wait_s is None:
            return False
        await self.clock.sleep(wait_s)
        return True

    async def _fallback(self, plan: Fallback, request: Request, run: Run) -> Response:
        errors: list[PingPongError] = []
        for node in plan.nodes:
            try:
                return await self.run(node, request, run)
            except DeadlineExceeded:
                raise
            except PingPongError as error:
                errors.append(error)
        raise _all_failed(errors)

    async def _stream_fallback(self, plan: Fallback, request: Request, run: Run) -> AsyncGenerator[Event, None]:
        errors: list[PingPongError] = []
        for node in plan.nodes:
            failed: StreamError | None = None
            async with aclosing(self.stream(node, request, run)) as events:
                async for event in events:
                    if isinstance(event, StreamError):
                        failed = event
                        break
                    yield event
            if failed is None:
                return
            if run.is_committed or isinstance(failed.error, DeadlineExceeded):
                yield failed
                return
            errors.append(failed.error)
        yield StreamError(_all_failed(errors))

    async def _cascade(self, plan: Cascade, request: Request, run: Run) -> Response:
        errors: list[PingPongError] = []
        best: tuple[float, Response] | None = None
        for node in plan.nodes:
            try:
                response = await self.run(node, request, run)
                verdict = await self._verdict(plan.detector, request, response, run)
            except DeadlineExceeded:
                raise
            except PingPongError as error:
                errors.append(error)
                continue
            if best is None or verdict.score >= best[0]:
                best = (verdict.score, response)
            if verdict.score >= plan.threshold:
                break
        if best is None:
            raise _all_failed(errors)
        run.confidence = best[0]
        return best[1]

    async def _ensemble(self, plan: Ensemble, request: Request, run: Run) -> Response:
        from anyio import create_task_group

        answers: dict[int, Response] = {}
        errors: dict[int, PingPongError] = {}

        async def member(i: int, node: Plan) -> None:
            try:
                answers[i] = await self.run(node, request, run)
            except PingPongError as error:
                errors[i] = error

        async with create_task_group() as group:
            for i, node in enumerate(plan.nodes):
                group.start_soon(member, i, node)
        if not answers:
            raise _all_failed([errors[i] for i in sorted(errors)])
        responses = tuple(answers[i] for i in sorted(answers))
        fuser: Fuser = self.make("fusers", plan.fuser.name, plan.fuser.params)
        fusion: Fusion = await self._step(plan.fuser, "fuse", run, lambda told: fuser.step(request, responses, told))
        run.confidence = fusion.agreement
        return fusion.response

    async def _check(self, plan: Check, response: Response, request: Request, run: Run) -> Response:
        for step in plan.validators:
            verdict = await self._verdict(step, request, response, run)
            run.verdicts.append(verdict)
            run.reports.append(verdict)
            response = verdict.replacement or response
            if verdict.is_rejected:
                reasons = "; ".join(f.reason for f in verdict.findings) or "no reason given"
                raise AnswerRejected(f"The validator {step.name!r} rejects the answer: {reasons}", partial=response)
        return response

    async def _stream_check(self, plan: Check, request: Request, run: Run) -> AsyncGenerator[Event, None]:
        seen: list[Event] = []
        async with aclosing(self.stream(plan.node, request, run)) as events:
            async for event in events:
                seen.append(event)
                if event.kind == "end":
                    try:
                        await self._check(plan, response_from_events(seen), request, run)
                    except PingPongError as error:
                        event = StreamError(error, error.partial)
                yield event

    async def _stream_whole(self, plan: Plan, request: Request, run: Run) -> AsyncGenerator[Event, None]:
        try:
            response = await self.run(plan, request, run)
        except PingPongError as error:
            yield StreamError(error, error.partial)
            return
        run.is_committed = True
        for event in events_from_response(response):
            yield event

    async def _verdict(self, step: Step, request: Request, response: Response, run: Run) -> Verdict:
        validator: Validator = self.make("validators", step.name, step.params)
        verdict: Verdict = await self._step(step, "judge", run, lambda told: validator.step(request, response, told))
        return verdict

    async def truncate(self, trip: Trip) -> Request:
        """The truncate slot: the same request, made to fit the model by the truncator it names."""
        info, card, driver = trip.info, trip.target.card, trip.target.driver
        name = info.request.truncator
        limit_tokens = (card.context_tokens or 0) - (info.request.max_output_tokens or card.max_output_tokens or 0)
        if name is None or card.context_tokens is None or info.input_tokens <= limit_tokens:
            return info.request
        truncator: Truncator = self.make("truncators", name, {})

        def step(told: tuple[Outcome, ...]) -> Truncation | Ask:
            return truncator.step(info.request, limit_tokens, lambda r: driver.estimate_tokens(r, card), told)

        truncation: Truncation = await self._step(Step(name), "summary", trip.run, step)
        trip.run.truncated[:] = truncation.dropped
        return truncation.request

    async def _step(self, step: Step, purpose: Purpose, run: Run, advance: Callable[[tuple[Outcome, ...]], Any]) -> Any:
        """Advance a pure step until it gives something else than a question, asking what it asks."""
        told: list[Outcome] = []
        while True:
            try:
                result = advance(tuple(told))
            except PingPongError:
                raise
            except Exception as exc:
                raise PluginError(f"The step {step.name!r} broke: {type(exc).__name__}: {exc}") from exc
            if not isinstance(result, Ask):
                return result
            if len(told) >= len(step.asks) or result.plan not in step.asks or run.depth >= MAX_ASK_DEPTH:
                raise PluginError(f"The step {step.name!r} asks for what the plan did not allow it.")
            nested = evolve(run, depth=run.depth + 1, purpose=purpose)
            told.append(await self.outcome(result.plan, result.request, nested))

    async def outcome(self, plan: Plan, request: Request, run: Run) -> Outcome:
        """Run a plan to its outcome."""
        started_s, started_at, first = self.clock.monotonic_s(), self.clock.utc_now(), len(run.attempts)
        response = await self.run(plan, request, run)
        return run.outcome(response, started_at, (self.clock.monotonic_s() - started_s) * 1000, first)


def _all_failed(errors: list[PingPongError]) -> PingPongError:
    if len(errors) == 1:
        return errors[0]
    return AllFailed(f"All {len(errors)} models of the plan failed.", errors)
