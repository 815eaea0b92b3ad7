"""Whether a run counts, and what its reader should know."""

from mirliton.benchmark.result import Bridge, Machine, Measured, Task

LATE_SLOTS = 0.001
"""A generator that is 20 ms late in more than this part of its milliseconds measures itself, not the bridge."""
_CROWDED = 0.05


def problems(floor: Measured, bridge: Bridge | None, task: Task) -> list[str]:
    """Why the figures must not be quoted; empty for a good run."""
    found = [f"the floor: {why}" for why in _of_load(floor)]
    if floor.traffic.silent:
        found.append(f"the floor: {floor.traffic.silent} streams got nothing back")
    if bridge is not None:
        found += _of_load(bridge.measured)
        found += _of_calls(bridge, task)
    return found


def _of_load(measured: Measured) -> list[str]:
    traffic = measured.traffic
    found = []
    if traffic.late_slots > LATE_SLOTS * traffic.slots:
        found.append(
            f"the load generator was late: by more than 20 ms in {traffic.late_slots} of {traffic.slots} ms, "
            f"by {traffic.latest_ms:.0f} ms at most"
        )
    if measured.dropped_by_load:
        found.append(f"the load generator had no room for {measured.dropped_by_load} packets that reached it")
    return found


def _of_calls(bridge: Bridge, task: Task) -> list[str]:
    found = []
    missing = task.callers - min(bridge.set_up.answered, bridge.members_at_start, bridge.members_at_end)
    if missing:
        found.append(f"{missing} of {task.callers} calls are missing")
    if bridge.measured.traffic.silent:
        found.append(f"{bridge.measured.traffic.silent} callers got no sound at all")
    if bridge.measured.traffic.hearing != bridge.hearing_expected:
        found.append(f"{bridge.measured.traffic.hearing} callers hear somebody, it should be {bridge.hearing_expected}")
    if bridge.burst is not None and bridge.burst.answered < bridge.burst.calls:
        found.append(
            f"{bridge.burst.calls - bridge.burst.answered} of {bridge.burst.calls} burst calls were not answered"
        )
    if bridge.restarts:
        found.append(f"the engine died {bridge.restarts} times")
    return found


def notes(machine: Machine, floor: Measured, bridge: Bridge | None) -> list[str]:
    """What makes figures worse than they could be."""
    found = []
    if machine.engine_core == machine.load_core:
        found.append("there was only one core: the load and the bridge took it from each other")
    for name, measured in (("floor", floor), ("bridge", bridge.measured if bridge else None)):
        if measured is not None and (others := others_share(measured, name)) > _CROWDED:
            found.append(f"others used {others:.0%} of the core while the {name} was measured")
        if measured is not None and measured.core_stolen > _CROWDED:
            found.append(f"the machine's host took {measured.core_stolen:.0%} of the core from the {name}")
    return found


def others_share(measured: Measured, name: str) -> float:
    """The part of the measured core that was neither idle nor used by the program it was kept for."""
    own = measured.processes["floor" if name == "floor" else "engine"].total
    return max(0.0, measured.core_busy.total - own)
