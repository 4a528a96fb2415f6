"""Request bodies: decompression, and forms."""

import gzip
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType

import lz4.frame
import zstandard
from starlette.datastructures import UploadFile
from starlette.requests import Request


class RefusedBodyError(Exception):
    """A body that this front cannot read; the text says why."""


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


_DECOMPRESSORS: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {
        "": bytes,
        "identity": bytes,
        "lz4": lz4.frame.decompress,
        "zstd": _zstd,
        "gzip": gzip.decompress,
        "deflate": zlib.decompress,
    }
)
_FORM = "multipart/form-data"
_MAX_FIELD_BYTES = 64 * 1024 * 1024


async def read_body(request: Request) -> tuple[dict[str, str], bytes]:
    """Values of the URL joined by those of a form, and the body, decompressed."""
    values = dict(request.query_params)
    if request.headers.get("content-type", "").startswith(_FORM):
        return values | await _form(request), b""
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in _DECOMPRESSORS:
        raise RefusedBodyError(f"content-encoding {encoding} is unknown")
    try:
        return values, _DECOMPRESSORS[encoding](await request.body())
    except (RuntimeError, OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        raise RefusedBodyError(f"the body is not {encoding}: {error}") from None


async def _form(request: Request) -> dict[str, str]:
    fields: dict[str, str] = {}
    async with request.form(max_part_size=_MAX_FIELD_BYTES) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                raise RefusedBodyError("external tables are not supported here")
            fields[name] = value
    return fields
