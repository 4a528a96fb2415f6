"""A reader that starves is told from one that has nothing to read."""

from candlelog.log.kafka.watchdog import Watchdog


def test_it_looks_every_five_seconds_of_silence():
    watchdog = Watchdog(0.0)
    assert [now for now in range(1, 17) if watchdog.due(float(now))] == [5, 10, 15]


def test_records_put_the_look_off():
    watchdog = Watchdog(0.0)
    watchdog.fed(4.0)
    assert not watchdog.due(8.0)
    assert watchdog.due(9.0)


def test_silence_without_lag_is_no_starvation():
    watchdog = Watchdog(0.0)
    assert not any(watchdog.starving(float(now), behind=False) for now in range(5, 500, 5))


def test_thirty_seconds_of_silence_with_lag_is_starvation():
    watchdog = Watchdog(0.0)
    found = [now for now in range(5, 60, 5) if watchdog.starving(float(now), behind=True)]
    assert found[0] == 35


def test_records_end_the_suspicion():
    watchdog = Watchdog(0.0)
    watchdog.starving(5.0, behind=True)
    watchdog.fed(20.0)
    assert not watchdog.starving(36.0, behind=True)
    assert not watchdog.starving(60.0, behind=True)
    assert watchdog.starving(66.0, behind=True)


def test_reading_to_the_end_ends_the_suspicion():
    watchdog = Watchdog(0.0)
    watchdog.starving(5.0, behind=True)
    watchdog.starving(10.0, behind=False)
    assert not watchdog.starving(36.0, behind=True)
