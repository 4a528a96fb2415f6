"""The outside systems of the coordinator: its own tables, the outbox, coverage."""
