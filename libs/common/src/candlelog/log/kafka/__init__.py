"""The log on Kafka or what speaks its protocol: the only package that imports aiokafka."""

from candlelog.log.kafka.log import KafkaLog

__all__ = ["KafkaLog"]
