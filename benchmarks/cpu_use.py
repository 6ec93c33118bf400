"""How undisturbed a measurement was: CPU time that went to anybody else meanwhile.

Linux only, from `/proc/stat`; elsewhere the answer is that it is unknown.
"""

import os
import resource
from pathlib import Path
from typing import NamedTuple


class CpuUse(NamedTuple):
    """Seconds of CPU time since some moment in the past."""

    all_processes: float
    ours: float  # this process and the children that have ended
    stolen: float  # by the host, when this is a virtual machine
    total: float  # used or not


def read() -> CpuUse | None:
    """The use so far, None where the system does not say."""
    try:
        first_line = Path("/proc/stat").read_text().partition("\n")[0]
    except OSError:
        return None
    ticks = [int(number) for number in first_line.split()[1:9]]
    user, nice, system, _idle, _iowait, _irq, softirq, stolen = (
        count / os.sysconf("SC_CLK_TCK") for count in ticks
    )
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return CpuUse(
        # Loopback traffic is softirq time there, but our processes' own time in getrusage.
        all_processes=user + nice + system + softirq,
        ours=sum(usage.ru_utime + usage.ru_stime for usage in used),
        stolen=stolen,
        total=sum(ticks) / os.sysconf("SC_CLK_TCK"),
    )


def disturbance(before: CpuUse | None, after: CpuUse | None) -> str:
    """What others took between two readings, in percent of all CPUs' time."""
    if before is None or after is None:
        return "unknown"
    total = after.total - before.total
    everybody = after.all_processes - before.all_processes
    others = max(0.0, everybody - (after.ours - before.ours))
    stolen = after.stolen - before.stolen
    return f"{others / total:.1%} of the CPU time, and {stolen / total:.1%} stolen by the host"
