"""Paths that lie among those with a parameter, and are none of them."""

from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope


class OwnPath(APIRoute):
    """The one operation of a path: `/jobs/plan` is not the job `plan`, whatever the method.

    Any other route leaves a request with a method that it does not take to those after it. This one
    answers 405: include it before those with a parameter in that place.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the path is this one."""
        match, child_scope = super().matches(scope)
        return (Match.FULL if match is Match.PARTIAL else match), child_scope
