"""aiokafka's errors, mapped once to ours."""

from collections.abc import Generator
from contextlib import contextmanager

from aiokafka.errors import (
    IllegalStateError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    ProducerFenced,
)

from candlelog.errors import Fatal, Fenced, Invalid, Unavailable


@contextmanager
def mapped(doing: str) -> Generator[None]:
    """Raise what goes wrong inside as one of ours; `doing` says what was tried.

    What Kafka calls retriable, or an answer that does not come, is `Unavailable`. An error of any
    other kind means that this client will not recover: `Fatal`.
    """
    try:
        yield
    except (TimeoutError, KafkaTimeoutError) as error:
        raise Unavailable(f"{doing}: the broker does not answer") from error
    except ProducerFenced as error:
        raise Fenced(f"{doing}: a newer producer has taken over") from error
    except MessageSizeTooLargeError as error:
        raise Invalid(f"{doing}: {error}") from error
    except IllegalStateError as error:  # readers alone raise it
        raise Unavailable(f"{doing}: a partition was taken away meanwhile") from error
    except KafkaError as error:
        kind = Unavailable if error.retriable else Fatal
        raise kind(f"{doing}: {error!r}") from error
