"""What the driver can be told beyond what every driver can."""

from __future__ import annotations

from attrs import frozen
from pingpong import DriverOptions


@frozen(kw_only=True)
class OpenAIOptions(DriverOptions):
    """
    Options of the table `openai`.

    Attributes:
        organization: Organisation that is billed; else the environment variable OPENAI_ORG_ID.
        project: Project that is billed; else OPENAI_PROJECT_ID.
    """

    organization: str | None = None
    project: str | None = None
