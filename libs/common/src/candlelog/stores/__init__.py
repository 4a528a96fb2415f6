"""Access to Postgres and ClickHouse."""
