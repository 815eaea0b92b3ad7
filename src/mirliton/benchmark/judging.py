"""Whether a measurement counts, and what its reader should know."""

from mirliton.benchmark.result import FLOOR, Account, Measured, Measurement, Traffic
from mirliton.benchmark.scenario import hearing_expected

LATE_SLOTS = 0.001
"""A generator that is 20 ms late in more than this part of its milliseconds measures itself, not the bridge."""
MOST_LOSS = 0.001
MOST_GAP_MS = 40.0
"""A bridge that loses more, or keeps more than one packet of a thousand longer than this, is beyond its capacity."""
_CROWDED = 0.05
_STOLEN = 0.01


def problems(made: Measurement, there: int) -> list[str]:
    """Why the figures must not be quoted; empty for a good one. `there`: callers that came into their rooms."""
    found = load_problems(made.measured)
    silent, missing = made.measured.traffic.silent, made.scenario.callers - there
    if made.set_up is not None:
        missing = max(missing, made.scenario.callers - made.set_up.answered)
    if made.account is not None:
        missing = max(missing, made.scenario.callers - made.account.members_at_end)
        found += _of_account(made.account)
    if missing:
        found.append(f"{missing} of {made.scenario.callers} calls are missing")
    if silent:
        found.append(f"{silent} callers got nothing back")
    if made.system != FLOOR:
        found += _of_hearing(made)
    if made.burst is not None and made.burst.answered < made.burst.calls:
        unanswered = made.burst.calls - made.burst.answered
        found.append(f"{unanswered} of {made.burst.calls} burst calls were not answered")
    return found


def _of_account(account: Account) -> list[str]:
    return [f"the engine died {account.restarts} times"] if account.restarts else []


def _of_hearing(made: Measurement) -> list[str]:
    found, expected, deaf = [], hearing_expected(made.scenario), made.measured.delay.deaf
    if made.measured.hearing != expected:
        found.append(f"{made.measured.hearing} callers hear somebody, it should be {expected}")
    if deaf:
        found.append(f"{deaf} listeners do not hear their talker, of those that were asked")
    return found


def load_problems(measured: Measured) -> list[str]:
    """What the load generator did wrong itself."""
    traffic, found = measured.traffic, []
    if traffic.late_slots > LATE_SLOTS * traffic.slots:
        found.append(
            f"the load generator was late: by more than 20 ms in {traffic.late_slots} of {traffic.slots} ms, "
            f"by {traffic.latest_ms:.0f} ms at most"
        )
    if measured.dropped_by_load:
        found.append(f"the load generator had no room for {measured.dropped_by_load} packets that reached it")
    if traffic.unkept:
        found.append(f"the load generator could not keep {traffic.unkept} packets for the measurement of delay")
    return found


def overload(traffic: Traffic) -> str:
    """In what way a bridge is beyond its capacity; "" if it is not."""
    if traffic.silent:
        return f"{traffic.silent} callers got nothing"
    if traffic.loss > MOST_LOSS:
        return f"{traffic.loss:.2%} lost"
    if traffic.gap_p999_ms >= MOST_GAP_MS:
        return f"gaps of {traffic.gap_p999_ms:.0f} ms"
    return ""


def notes(made: Measurement, cores: tuple[int, int], *, threads_of_one: bool = False) -> list[str]:
    """What makes figures worse than they could be, or what they are no measure of.

    `threads_of_one`: the two cores are.
    """
    measured, found = made.measured, []
    if cores[0] == cores[1]:
        found.append("there was only one core: the load and the bridge took it from each other")
    if threads_of_one:
        found.append("the load ran on a thread of the bridge's own core: they slowed each other down")
    if (others := others_share(made)) > _CROWDED:
        found.append(f"others used {others:.0%} of the core")
    if max(measured.core_stolen, measured.load_core_stolen) > _STOLEN:
        of_bridge, of_load = measured.core_stolen, measured.load_core_stolen
        found.append(f"the machine's host took {of_bridge:.1%} of the bridge's core, {of_load:.1%} of the load's")
    if beyond := overload(measured.traffic):
        found.append(f"overloaded: {beyond}")
    return found


def others_share(made: Measurement) -> float:
    """The part of the measured core that was neither idle nor used by the process that carries audio."""
    own = next(iter(made.measured.processes.values())).total
    return max(0.0, made.measured.core_busy.total - own)
