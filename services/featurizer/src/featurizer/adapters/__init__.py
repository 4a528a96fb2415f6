"""ClickHouse, the watermarks and Faust, as the handlers need them."""
