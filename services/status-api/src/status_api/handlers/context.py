"""What every route works with; made by `__main__`, found on the application."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends
from fastapi.requests import HTTPConnection

from candlelog.clock import Clock
from candlelog.log.publish import Publisher
from candlelog.market.feature_sets import FeatureSets
from status_api.adapters.files import FileReader
from status_api.adapters.gaps import GapReader
from status_api.adapters.history import History
from status_api.adapters.jobs import JobReader
from status_api.adapters.plans import Plans
from status_api.domain.budgets import Ledger
from status_api.domain.components import Reports
from status_api.domain.tokens import Token
from status_api.handlers.landings import Landings
from status_api.handlers.live import Feed
from status_api.handlers.markets import Markets


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The parts of this replica."""

    clock: Clock
    publisher: Publisher
    jobs: JobReader
    gaps: GapReader
    files: FileReader
    history: History
    feed: Feed
    landings: Landings
    markets: Markets
    ledger: Ledger
    plans: Plans
    reports: Reports
    feature_sets: FeatureSets
    new_id: Callable[[], UUID]
    sandbox: bool


def context_of(connection: HTTPConnection) -> Context:
    """The context of the application that serves the request."""
    return cast(Context, connection.app.state.context)


def token_of(connection: HTTPConnection) -> Token:
    """Whose request it is; the gate has put it there."""
    return cast(Token, connection.scope["candlelog.token"])


Ctx = Annotated[Context, Depends(context_of)]
Who = Annotated[Token, Depends(token_of)]
