"""An archive behind an HTTP address."""

import os
from collections.abc import AsyncGenerator

import pytest
from aiohttp import web

from candlelog.archives.http import HttpArchive
from candlelog.archives.ports import BLOCK_BYTES
from candlelog.errors import Invalid, Unavailable

pytestmark = pytest.mark.connected


class Served:
    """A server of files, and what it was asked for. `status` is that of its next answers."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.headers: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []
        self.status: int | None = None
        self.cut = False
        self.base = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/data/")
        self.asked.append((request.method, path))
        if self.status is not None:
            return web.Response(status=self.status)
        if path not in self.files:
            return web.Response(status=404)
        if not self.cut:
            return web.Response(body=self.files[path], headers=self.headers)
        answer = web.StreamResponse(headers={"Content-Length": str(len(self.files[path]))})
        await answer.prepare(request)
        await answer.write(self.files[path][:-1])
        assert request.transport is not None
        request.transport.close()
        return answer


@pytest.fixture
async def served() -> AsyncGenerator[Served]:
    server = Served()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.base = f"http://{host}:{port}/data"
    yield server
    await runner.cleanup()


async def read(archive: HttpArchive, path: str) -> bytes:
    async with archive.open(path) as blocks:
        found = [block async for block in blocks]
    assert max(map(len, found)) <= BLOCK_BYTES
    return b"".join(found)


async def test_those_files_have_versions_that_there_are(served):
    served.files = {"a b.zip": b"1", "deep/c.zip": b"2"}
    served.headers = {"ETag": '"one"'}
    paths = ["a b.zip", "deep/c.zip", *(f"absent/{n}.zip" for n in range(100))]
    found = await HttpArchive(served.base + "/").versions(paths)
    assert found == {"a b.zip": '"one"', "deep/c.zip": '"one"'}
    assert sorted(served.asked) == sorted(("HEAD", path) for path in paths)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"ETag": '"one"'}, {"ETag": '"two"'}),
        (
            {"Last-Modified": "Fri, 01 Mar 2024 00:00:00 GMT"},
            {"Last-Modified": "Fri, 01 Mar 2024 00:00:01 GMT"},
        ),
    ],
)
async def test_a_version_changes_with_what_the_server_says_of_the_file(served, before, after):
    served.files, archive = {"a.zip": b"1"}, HttpArchive(served.base)
    served.headers = before
    first = await archive.versions(["a.zip"])
    assert await archive.versions(["a.zip"]) == first
    served.headers = after
    assert await archive.versions(["a.zip"]) != first


async def test_a_server_that_says_only_the_length_tells_files_of_different_length_apart(served):
    served.files, archive = {"a.zip": b"1"}, HttpArchive(served.base)
    first = await archive.versions(["a.zip"])
    served.files = {"a.zip": b"12"}
    assert await archive.versions(["a.zip"]) != first


async def test_a_file_is_read_in_blocks_as_it_lies_there(served):
    served.files = {"a.zip": os.urandom(3 * BLOCK_BYTES + 1)}
    assert await read(HttpArchive(served.base), "a.zip") == served.files["a.zip"]


async def test_a_file_that_is_not_there_cannot_be_opened(served):
    with pytest.raises(Invalid, match=r"a\.zip is not in the archive"):
        await read(HttpArchive(served.base), "a.zip")


@pytest.mark.parametrize("status", [403, 429, 500, 503])
async def test_any_other_answer_is_an_outage(served, status):
    served.files, served.status = {"a.zip": b"1"}, status
    archive = HttpArchive(served.base)
    with pytest.raises(Unavailable, match=f"the answer is {status}"):
        await archive.versions(["a.zip"])
    with pytest.raises(Unavailable, match=f"the answer is {status}"):
        await read(archive, "a.zip")


async def test_a_file_that_is_cut_off_on_its_way_is_an_outage(served):
    served.files, served.cut = {"a.zip": b"1" * 100}, True
    with pytest.raises(Unavailable, match=r"a\.zip of the archive cannot be read"):
        await read(HttpArchive(served.base), "a.zip")


async def test_a_server_that_is_away_is_an_outage_whose_text_holds_no_address():
    archive = HttpArchive("http://user:password@127.0.0.1:1/data")
    with pytest.raises(Unavailable) as raised:
        await archive.versions(["a.zip"])
    assert "password" not in str(raised.value)


async def test_its_files_are_not_listed(served):
    with pytest.raises(Invalid, match="name the folder they are in"):
        await HttpArchive(served.base).index()
