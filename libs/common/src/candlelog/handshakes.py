"""WebSocket handshakes that are refused before the application sees them."""

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


class Handshakes(WebSocketsSansIOProtocol):
    """uvicorn's WebSockets; a request whose line or headers are too long is answered and closed.

    uvicorn 0.54 leaves such a client without an answer and its connection open for ever.
    """

    def data_received(self, data: bytes) -> None:
        """Hand over what came; send what the parser answers by itself."""
        super().data_received(data)
        if self.handshake_initiated or self.conn.handshake_exc is None:
            return
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()
