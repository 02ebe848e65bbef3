"""
The runner: executes a plan, blocking or streaming. The only place that knows concurrency and that calls a model.

Streams are nested async generators that hold no cancel scope across a yield; whoever opens one closes it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from attrs import define, evolve, field

from pingpong._attempts import Attempts, CallRing, Item, Run, Trip, Whole
from pingpong._clock import Clock
from pingpong._drivers import Operation
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
    blamed,
)
from pingpong._events import Event, StreamEnd, StreamStart, response_from_events
from pingpong._outcomes import Ask, Fusion, Outcome, Purpose, Truncation, Verdict
from pingpong._plans import Call, Cascade, Check, Ensemble, Fallback, Plan, Refuse, RefuseReason, Step
from pingpong._policies import Fuser, Ledger, PolicyRecord, RetryPolicy, Truncator, Validator
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


@define(eq=False, kw_only=True)
class Runner:
    """
    Runs plans.

    Attributes:
        target: A model by its full id; raises `UnknownModelError`.
        make: A policy plugin by kind, name and parameters.
        record: Its record, by kind and name.
    """

    clock: Clock
    ledger: Ledger
    ring: CallRing
    is_simulated: bool
    retries: RetryPolicy
    target: Callable[[str], Target]
    make: Callable[..., Any]
    record: Callable[[str, str], PolicyRecord]
    attempts: Attempts = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.attempts = Attempts(self.clock, self.ledger, self.ring, self.truncate, self.is_simulated)

    def items(self, plan: Plan, request: Request, run: Run, *, is_stream: bool) -> AsyncGenerator[Item, None]:
        """
        What a plan gives: events up to a `StreamEnd`, or one `Whole`. Raises `PingPongError`s only, and cancellation.

        With `is_stream`, calls and fallbacks stream as they come, and so does a check that cannot replace the answer;
        a plan that has to choose between answers gives the chosen one whole.
        """
        match plan:
            case Call():
                return self._call(plan, request, run, is_stream)
            case Fallback():
                return self._fallback(plan, request, run, is_stream)
            case Check():
                may_replace = any(self.record("validators", v.name).may_replace for v in plan.validators)
                return self._check(plan, request, run, is_stream and not may_replace)
            case _:
                return self._chosen(plan, request, run)

    async def answer(self, plan: Plan, request: Request, run: Run) -> Response:
        """The plan's answer, not streamed."""
        async with aclosing(self.items(plan, request, run, is_stream=False)) as items:
            async for item in items:
                if isinstance(item, Whole):
                    return item.response
        raise PluginError("The plan ended without an answer.")

    async def _call(self, call: Call, request: Request, run: Run, is_stream: bool) -> AsyncGenerator[Item, None]:
        target = self.target(call.model)
        for number in range(1, call.max_attempts + 1):
            attempt = self.attempts.run(call, target, number, request, run, is_stream=is_stream)
            start: StreamStart | None = None
            try:
                async with aclosing(attempt) as items:
                    async for item in items:
                        if isinstance(item, StreamStart):
                            start = run.start = item
                            continue
                        if not run.is_committed and not isinstance(item, Whole):
                            run.is_committed = True
                            yield start or StreamStart(target.card.provider, target.card.model)
                        yield item
                return
            except PingPongError as error:
                if run.is_committed or not await self._may_retry(call, number, error, run):
                    raise

    async def _may_retry(self, call: Call, number: int, error: PingPongError, run: Run) -> bool:
        """Ask the policy, and wait as it says. False where the error has to go up."""
        if number == call.max_attempts:
            return False
        left_s = run.deadline_s - self.clock.monotonic_s()
        with blamed(type(self.retries).__name__):
            wait_s = self.retries.next(number, error, left_s=left_s, draw=run.draw.random())
        if wait_s is None:
            return False
        await self.clock.sleep(wait_s)
        return True

    async def _fallback(self, plan: Fallback, request: Request, run: Run, is_stream: bool) -> AsyncGenerator[Item, None]:
        errors: list[PingPongError] = []
        for node in plan.nodes:
            try:
                async with aclosing(self.items(node, request, run, is_stream=is_stream)) as items:
                    async for item in items:
                        yield item
                return
            except PingPongError as error:
                if run.is_committed or isinstance(error, DeadlineExceeded):
                    raise
                errors.append(error)
        raise _all_failed(errors)

    async def _check(self, plan: Check, request: Request, run: Run, is_stream: bool) -> AsyncGenerator[Item, None]:
        seen: list[Event] = []
        async with aclosing(self.items(plan.node, request, run, is_stream=is_stream)) as items:
            async for item in items:
                if isinstance(item, Whole):
                    item = Whole(await self._judged(plan, item.response, request, run))
                else:
                    seen.append(item)
                    if isinstance(item, StreamEnd):
                        await self._judged(plan, response_from_events(seen), request, run)
                yield item

    async def _chosen(self, plan: Cascade | Ensemble | Refuse, request: Request, run: Run) -> AsyncGenerator[Item, None]:
        match plan:
            case Cascade():
                yield Whole(await self._cascade(plan, request, run))
            case Ensemble():
                yield Whole(await self._ensemble(plan, request, run))
            case Refuse():
                raise _REFUSALS[plan.reason](plan.message)

    async def _cascade(self, plan: Cascade, request: Request, run: Run) -> Response:
        errors: list[PingPongError] = []
        best: tuple[float, Response] | None = None
        for node in plan.nodes:
            try:
                response = await self.answer(node, request, run)
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
                answers[i] = await self.answer(node, request, run)
            except PingPongError as error:
                errors[i] = error

        async with create_task_group() as group:
            for i, node in enumerate(plan.nodes):
                group.start_soon(member, i, node)
        if not answers:
            raise _all_failed([errors[i] for i in sorted(errors)])
        responses = tuple(answers[i] for i in sorted(answers))
        fuser: Fuser = self.make("fusers", plan.fuser.name, plan.fuser.params)
        fusion: Fusion = await self._step(plan.fuser, "fuse", run, lambda told: fuser.step(request, responses, told), Fusion)
        run.confidence = fusion.agreement
        return fusion.response

    async def _judged(self, plan: Check, response: Response, request: Request, run: Run) -> Response:
        for step in plan.validators:
            verdict = await self._verdict(step, request, response, run)
            run.verdicts.append(verdict)
            run.reports.append(verdict)
            response = verdict.replacement or response
            if verdict.is_rejected:
                reasons = "; ".join(f.reason for f in verdict.findings) or "no reason given"
                raise AnswerRejected(f"The validator {step.name!r} rejects the answer: {reasons}", partial=response)
        return response

    async def _verdict(self, step: Step, request: Request, response: Response, run: Run) -> Verdict:
        validator: Validator = self.make("validators", step.name, step.params)
        verdict: Verdict = await self._step(step, "judge", run, lambda told: validator.step(request, response, told), Verdict)
        return verdict

    async def truncate(self, trip: Trip, request: Request, name: str) -> Request:
        """The truncate slot: the same request, made to fit the model by the truncator it names."""
        card, driver = trip.target.card, trip.target.driver
        limit_tokens = (card.context_tokens or 0) - (request.max_output_tokens or card.max_output_tokens or 0)
        if card.context_tokens is None or trip.info.input_tokens <= limit_tokens:
            return request
        truncator: Truncator = self.make("truncators", name, {})

        def step(told: tuple[Outcome, ...]) -> Truncation | Ask:
            return truncator.step(request, limit_tokens, lambda r: driver.estimate_tokens(r, card), told)

        truncation: Truncation = await self._step(Step(name), "summary", trip.run, step, Truncation)
        trip.run.truncated[:] = truncation.dropped
        return truncation.request

    async def _step(
        self, step: Step, purpose: Purpose, run: Run, advance: Callable[[tuple[Outcome, ...]], Any], gives: type
    ) -> Any:
        """Advance a pure step until it gives what its kind gives, asking what it asks; each of its plans at most once."""
        told: list[Outcome] = []
        left = list(step.asks)
        while True:
            with blamed(f"The step {step.name!r}"):
                result = advance(tuple(told))
            if isinstance(result, gives):
                return result
            if not isinstance(result, Ask):
                raise PluginError(f"The step {step.name!r} gave {type(result).__name__}, not {gives.__name__}.")
            if result.plan not in left or run.depth >= MAX_ASK_DEPTH:
                raise PluginError(f"The step {step.name!r} asks for what the plan did not allow it.")
            left.remove(result.plan)
            nested = evolve(run, depth=run.depth + 1, purpose=purpose, is_committed=False)
            told.append(await self.outcome(result.plan, result.request, nested))

    async def single(self, operation: Operation, request: Any, run: Run) -> Any:
        """One embedding or token count, tried again as a call is."""
        call, target = Call(request.model), self.target(request.model)
        for number in range(1, call.max_attempts + 1):
            try:
                return await self.attempts.single(operation, target, number, request, run)
            except PingPongError as error:
                if not await self._may_retry(call, number, error, run):
                    raise
        return None

    async def outcome(self, plan: Plan, request: Request, run: Run) -> Outcome:
        """Run a plan to its outcome."""
        started_s, started_at, first = self.clock.monotonic_s(), self.clock.utc_now(), len(run.attempts)
        response = await self.answer(plan, request, run)
        return run.outcome(response, started_at, (self.clock.monotonic_s() - started_s) * 1000, first)


def _all_failed(errors: list[PingPongError]) -> PingPongError:
    if len(errors) == 1:
        return errors[0]
    return AllFailed(f"All {len(errors)} models of the plan failed.", errors)
