"""The log in memory: for tests, with the promises of the real one."""

from candlelog.log.memory.log import MemoryLog

__all__ = ["MemoryLog"]
