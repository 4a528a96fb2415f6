"""The `candlelog` command: one module per noun, rendering apart from commands."""
