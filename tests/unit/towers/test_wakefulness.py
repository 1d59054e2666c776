from __future__ import annotations

from towers.wakefulness import Wakefulness


def test_who_was_frozen_is_awake_only_when_kafka_has_had_time_to_say_who_leads() -> None:
    now_s = 0.0
    mind = Wakefulness(lambda: now_s)
    asked: list[tuple[float, bool]] = []
    for now_s in (100.5, 103.5, 106.6, 107.0, 109.5, 109.6, 112.6, 115.7):
        asked.append((now_s, mind.awake()))
    # 3 s are no freeze; 3.1 are, and count for 3 s more, in which it is asked in vain.
    assert asked == [
        (100.5, True),
        (103.5, True),
        (106.6, False),
        (107.0, False),
        (109.5, False),
        (109.6, True),
        (112.6, True),
        (115.7, False),
    ]
