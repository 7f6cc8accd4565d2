"""The machine is read as it is, and others' load leaves fewer threads."""

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from shammah import hardware
from shammah.errors import DiskTooSmall
from shammah.hardware import BusyMeter

SPIN = "import sys\nprint(flush=True)\nwhile True: pass"


def test_cores_are_counted_within_what_this_process_may_use() -> None:
    assert 1 <= hardware.physical_cores() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no process to a core")
def test_a_process_pinned_to_one_core_has_one() -> None:
    code = (
        "import os\nfrom shammah import hardware\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nprint(hardware.physical_cores())"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1\n"


def test_available_ram_is_part_of_the_whole() -> None:
    assert 0 < hardware.ram_available_bytes() <= psutil.virtual_memory().total


def test_the_battery_can_be_asked_for_on_every_machine() -> None:
    assert hardware.is_on_battery() in (True, False)


def test_too_short_a_window_says_nothing() -> None:
    assert BusyMeter().busy_cores() == 0.0


def test_threads_leave_room_for_others_but_one_always_runs() -> None:
    assert 1 <= BusyMeter().threads() <= hardware.physical_cores()


def others_after_spinning(code: str) -> tuple[float, float]:
    """Busy cores by the meter while a child spins, and the cores that the child took, by the kernel's count."""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert child.stdout
        child.stdout.readline()
        taken, start, meter = _cpu_seconds(child), time.monotonic(), BusyMeter()
        time.sleep(0.6)
        return meter.busy_cores(), (_cpu_seconds(child) - taken) / (time.monotonic() - start)
    finally:
        child.kill()
        child.communicate()


def _cpu_seconds(child: "subprocess.Popen[bytes]") -> float:
    times = psutil.Process(child.pid).cpu_times()
    return float(times.user + times.system)


@pytest.mark.skipif(os.nice(0) > 0, reason="these tests run at a positive nice value, which does not count")
def test_what_another_process_takes_counts_as_busy() -> None:
    busy, taken = others_after_spinning(SPIN)
    # Kernel ticks are 10 ms: a twentieth of the window, and some for its edges.
    assert taken > 0.1
    assert busy > taken - 0.1


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="this system has no idle scheduling")
def test_giving_way_is_nice_19_and_idle_scheduling() -> None:
    code = (
        "import os\nfrom shammah import hardware\nhardware.give_way()\n"
        "print(os.nice(0), os.sched_getscheduler(0) == os.SCHED_IDLE)"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output == "19 True\n"


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel weighs no sessions")
def test_a_session_of_its_own_gives_way_as_a_whole() -> None:
    with subprocess.Popen(["sleep", "30"], start_new_session=True) as child:
        hardware.give_way(child.pid)
        assert Path(f"/proc/{child.pid}/autogroup").read_text().split()[-1] == "19"
        child.kill()


@pytest.mark.parametrize("is_refused", [False, True], ids=["allowed", "in a sandbox"])
def test_on_macos_giving_way_is_nice_19_and_the_background(monkeypatch: pytest.MonkeyPatch, is_refused: bool) -> None:
    calls: list[tuple[int, int, int]] = []

    def setpriority(which: int, who: int, priority: int) -> None:
        calls.append((which, who, priority))
        if is_refused and which != os.PRIO_PROCESS:
            raise PermissionError

    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(os, "setpriority", setpriority)
    hardware.give_way(4321)
    # PRIO_DARWIN_PROCESS and PRIO_DARWIN_BG of macOS' sys/resource.h.
    assert calls == [(os.PRIO_PROCESS, 4321, 19), (4, 4321, 0x1000)]


def test_a_disk_that_is_too_small_is_told_with_numbers(tmp_path: Path) -> None:
    hardware.check_disk(tmp_path, 1)
    with pytest.raises(DiskTooSmall, match=r"takes 9000000000\.0 GB, and [0-9.]+ GB are free in .*"):
        hardware.check_disk(tmp_path, 9 * 10**18)
