"""The chDB engine behind HTTP, for clients that speak to a ClickHouse server.

It is what `clickhouse-connect` needs for queries, commands and inserts, and no more: no sessions,
no users, no streamed results, no external tables, no cluster.
"""
