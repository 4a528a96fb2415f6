"""What is measured of requests."""

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.responses import PlainTextResponse

from candlelog.clock import SystemClock
from status_api.handlers.meter import Meter


def counted(method: str) -> float:
    labels = {"method": method, "route": "none", "status": "200"}
    return REGISTRY.get_sample_value("candlelog_http_seconds_count", labels) or 0.0


async def requested(method: str) -> None:
    metered = Meter(PlainTextResponse("well"), SystemClock())
    transport = httpx.ASGITransport(metered)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        await http.request(method, "/")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_a_method_of_http_is_measured_under_its_name(method: str):
    before = counted(method)
    await requested(method)
    assert counted(method) == before + 1


@pytest.mark.parametrize("method", ["BREW", "X1"])
async def test_methods_somebody_invents_share_one_label(method: str):
    before = counted("other")
    await requested(method)
    assert counted("other") == before + 1
    assert not counted(method)
