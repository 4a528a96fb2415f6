"""How far this machine's clock is off, by SNTP (RFC 5905)."""

import socket
import struct

from candlelog.clock import Clock

_SERVER = ("pool.ntp.org", 123)
_ANSWER_SECONDS = 2.0
_EPOCH_1900 = 2_208_988_800
_CLIENT_REQUEST = bytes([0x23]) + bytes(47)
"""Version 4, mode client; everything else zero."""
_TIMES = struct.Struct(">16x8x8xIIII")
"""Of an answer: when the server received and when it sent, each as seconds and 2**-32 seconds."""


def clock_error_seconds(clock: Clock, server: tuple[str, int] = _SERVER) -> float | None:
    """Seconds by which the clock is ahead of the server's; None when the server is silent."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            channel.settimeout(_ANSWER_SECONDS)
            sent = clock.now().timestamp()
            channel.sendto(_CLIENT_REQUEST, server)
            answer, _ = channel.recvfrom(512)
            received = clock.now().timestamp()
        return (sent + received) / 2 - _server_time(answer)
    except (OSError, struct.error):
        return None


def _server_time(answer: bytes) -> float:
    got, got_part, gave, gave_part = _TIMES.unpack_from(answer)
    middle = (got + gave) / 2 + (got_part + gave_part) / 2 / 2**32
    return middle - _EPOCH_1900
