"""The AsyncAPI 3 document of the log, made from the table of topics and the events.

`python -m candlelog.events.asyncapi FILE` writes it; a test fails when the committed one is stale.
"""

import sys
from pathlib import Path
from typing import Any

import orjson

from candlelog.events.codec import ARROW_HEADERS
from candlelog.events.envelope import ARROW, JSON
from candlelog.events.event import Event
from candlelog.events.registry import EVENTS
from candlelog.events.topics import TOPICS, Topic

Document = dict[str, Any]

_HEADERS: Document = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_subject"],
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string"},
        "ce_type": {"type": "string"},
        "ce_source": {"type": "string"},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_subject": {"type": "string"},
        "content-type": {"type": "string"},
        "traceparent": {"type": "string"},
    },
}


def asyncapi() -> Document:
    """The document: one channel a topic, one message an event version."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Candlelog: the log",
            "version": "1",
            "description": "CloudEvents in binary mode; topic names carry a prefix, by default "
            "`candlelog.`.",
        },
        "defaultContentType": JSON,
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {
            f"{action}.{topic.name}": {
                "action": action,
                "channel": {"$ref": f"#/channels/{topic.name}"},
            }
            for topic in TOPICS
            for action in ("send", "receive")
        },
        "components": {
            "messages": {name: _message(event) for name, event in sorted(EVENTS.items())}
        },
    }


def _channel(topic: Topic) -> Document:
    messages = {
        name: {"$ref": f"#/components/messages/{name}"}
        for name, event in sorted(EVENTS.items())
        if event.topic == topic.name
    }
    return {
        "address": topic.full_name(),
        "description": f"Keyed by {topic.keyed_by}."
        + (" Bad records go to the dead letters." if topic.dead_letters else ""),
        "messages": messages,
        "bindings": {
            "kafka": {
                "topic": topic.full_name(),
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": list(topic.cleanup),
                    "retention.ms": -1 if topic.retention_ms is None else topic.retention_ms,
                },
            }
        },
    }


def _message(event: type[Event]) -> Document:
    arrow = event in ARROW_HEADERS
    note = " As JSON in the schema metadata `candlelog.header` of an Arrow stream." if arrow else ""
    return {
        "name": event.ce_type,
        "title": event.__name__,
        "description": (event.__doc__ or "").strip() + note,
        "contentType": ARROW if arrow else JSON,
        "headers": _HEADERS,
        "payload": event.model_json_schema(),
    }


def render() -> bytes:
    """The document as indented JSON."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(asyncapi(), option=options)


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(render())
