"""How the simulator's own interfaces type: checked by mypy, never run."""

from collections.abc import Iterator
from typing import assert_type

import click
from pingpong import Card, Driver, Request, Response, Transport, TransportContext, WireRequest, WireStream
from pingpong_simulator import command, transport
from pingpong_simulator.engine import Model, answer
from pingpong_simulator.http import served
from pingpong_simulator.replies import Reply
from pingpong_simulator.service import Service
from pingpong_simulator.tasks import Task, is_right, tasks
from pingpong_simulator.transport import SimulatedStream


def the_factory_gives_a_transport(context: TransportContext) -> Transport:
    return transport.make(context)


def a_stream_is_a_wire_stream(stream: SimulatedStream) -> WireStream:
    return stream


def the_command_is_a_click_command() -> click.Command:
    return command.make()


def a_service_replies(drivers: tuple[Driver, ...], cards: tuple[Card, ...], wire: WireRequest) -> None:
    service = Service(drivers=lambda: drivers, cards=cards)
    assert_type(service.reply(wire), Reply)
    with served(service) as url:
        assert_type(url, str)


def tasks_are_judged(request: Request, model: Model) -> None:
    assert_type(tasks(1, 2), Iterator[Task])
    response = answer(request, model, 1)
    assert_type(response, Response)
    assert_type(is_right(next(tasks(1, 2)), response.text), bool)
