"""The outside systems of the gap auditor: its own tables, and the slots in ClickHouse."""
