"""`candlelog topics`: the topics of the log."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from candlelog_client.cli import output
from candlelog_client.cli.options import DEFAULT_DATA_DIR, DataDir, Json
from candlelog_client.cli.session import complete
from candlelog_client.connection import variables_with

if TYPE_CHECKING:
    from collections.abc import Sequence

    from candlelog.log.kafka.admin import TopicState
    from candlelog.log.topics_admin import Applied

app = typer.Typer(no_args_is_help=True, help="Topics of the log.")

BOOTSTRAP = "CANDLELOG_KAFKA_BOOTSTRAP"
Prefix = Annotated[
    str, typer.Option(envvar="CANDLELOG_TOPIC_PREFIX", help="What every topic's name begins with.")
]
DEFAULT_PREFIX = "candlelog."


@app.command()
def apply(
    prefix: Prefix = DEFAULT_PREFIX, json: Json = False, data_dir: DataDir = DEFAULT_DATA_DIR
) -> None:
    """Create the topics that are missing and set what differs; again does nothing."""

    async def work() -> "Applied":
        from candlelog.log.topics_admin import apply_topics  # noqa: PLC0415 - `--help` stays quick

        return await apply_topics(_bootstrap(data_dir), prefix)

    applied = complete(work)
    if json:
        output.show_json(asdict(applied))
        return
    for name in applied.created:
        output.show(f"created {name}")
    for name in applied.changed:
        output.show(f"changed {name}")
    if not applied.created and not applied.changed:
        output.show("Every topic is as it should be.")


@app.command("list")
def list_topics(
    prefix: Prefix = DEFAULT_PREFIX, json: Json = False, data_dir: DataDir = DEFAULT_DATA_DIR
) -> None:
    """The topics as the broker has them."""

    async def work() -> "Sequence[TopicState]":
        from candlelog.log import topics_admin  # noqa: PLC0415 - `--help` stays quick

        return await topics_admin.list_topics(_bootstrap(data_dir), prefix)

    found = complete(work)
    from candlelog_client.cli import topic_tables  # noqa: PLC0415 - `--help` stays quick

    if json:
        output.show_json([topic_tables.row(topic) for topic in found])
    else:
        output.show(topic_tables.table(found))


def _bootstrap(data_dir: Path) -> str:
    return variables_with(BOOTSTRAP, data_dir)[BOOTSTRAP]
