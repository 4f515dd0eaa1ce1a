"""In which order `./test` hands files of tests to its processes.

The longest first, so that none is begun when all others are done. Of files that start whole programs one process is kept
free: where all of them did, those of the operator's terminal, of drills and of demos were too slow for each other.
"""

import functools
from pathlib import Path

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

ROOT = Path(__file__).parents[1]
A_TEST_S = 0.15
A_PROGRAM_S = 2.0
"""What a test of a file takes that is not named below, and one that starts whole programs."""

FILE_S = {
    "tests/chaos/doubles/test_raceday.py": 6,
    "tests/chaos/doubles/test_simulated.py": 11,
    "tests/chaos/inside/test_frames.py": 6,
    "tests/chaos/proxy/test_lease.py": 8,
    "tests/chaos/simnet/test_conditions.py": 6,
    "tests/chaos/simnet/test_world.py": 10,
    "tests/contract/test_contract.py": 29,
    "tests/daemons/link/test_durable_world.py": 6,
    "tests/daemons/link/test_hostile_session.py": 6,
    "tests/daemons/link/test_link.py": 9,
    "tests/daemons/race/pages/test_accessible.py": 14,
    "tests/daemons/race/publicapi/test_check.py": 17,
    "tests/daemons/race/test_bodies.py": 8,
    "tests/daemons/race/test_days.py": 6,
    "tests/daemons/race/test_files.py": 8,
    "tests/daemons/race/test_origin_simulated.py": 16,
    "tests/daemons/telemetry/web/test_pages.py": 30,
    "tests/daemons/test_cli_admin.py": 22,
    "tests/daemons/test_cli_authority.py": 39,
    "tests/daemons/test_cli_storage.py": 21,
    "tests/daemons/test_cli_tui.py": 20,
    "tests/protocol/test_bombs.py": 12,
    "tests/protocol/test_reliable_pair.py": 15,
    "tests/protocol/test_wire_cddl.py": 8,
    "tests/sim/test_drill_inside.py": 10,
    "tests/sim/test_fresh_again.py": 7,
    "tests/sim/test_hazards.py": 9,
    "tests/sim/test_link_pair.py": 11,
    "tests/sim/test_machine.py": 12,
    "tests/sim/test_pits_cloud.py": 10,
    "tests/sim/test_shrinking.py": 14,
    "tests/tui/app/test_bytes.py": 60,
    "tests/tui/app/test_counting.py": 19,
    "tests/tui/app/test_driver.py": 8,
    "tests/tui/app/test_real_chaos.py": 23,
    "tests/tui/app/test_terminal.py": 12,
    "tests/tui/record/test_damage.py": 22,
    "tests/tui/record/test_process.py": 54,
    "tests/tui/test_drilling.py": 48,
    "tests/tui/whole/test_controls.py": 35,
    "tests/tui/whole/test_kills.py": 29,
    "tests/tui/whole/test_pages.py": 13,
    "tests/tui/whole/test_roles.py": 18,
    "tests/whole/test_crowd.py": 8,
    "tests/whole/test_demo.py": 30,
    "tests/whole/test_director.py": 8,
    "tests/whole/test_drill_command.py": 8,
    "tests/whole/test_drill_reports.py": 17,
    "tests/whole/test_drillground.py": 15,
    "tests/whole/test_freshness.py": 18,
    "tests/whole/test_full_disk.py": 10,
    "tests/whole/test_pages_live.py": 12,
    "tests/whole/test_people.py": 12,
    "tests/whole/test_recorded_event.py": 31,
    "tests/whole/test_relay_killed.py": 17,
}
"""Seconds of the long ones, on two cores. One that is missing here, or has changed, costs time and nothing else."""


class LongestFirst(LoadFileScheduling):
    """Files as they are, in this order."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        busy = sum(self._runs_programs(other) for other in self.nodes if other is not node)
        is_full = busy >= max(1, len(self.nodes) - 1)
        file = min(
            self.workqueue, key=lambda file: (is_full and starts_programs(file), -self._expected_s(file))
        )
        self.workqueue.move_to_end(file, last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        # xdist holds three tests ready for each process, which may be three files of a minute each. A process needs the
        # one that it runs, and the one behind it.
        if self.workqueue and self._pending_of(self.assigned_work[node]) > 1:
            return
        super()._reschedule(node)

    def _expected_s(self, file: str) -> float:
        each_s = A_PROGRAM_S if starts_programs(file) else A_TEST_S
        return FILE_S.get(file, each_s * len(self.workqueue[file]))

    def _runs_programs(self, node: WorkerController) -> bool:
        return any(
            starts_programs(file) and not all(tests.values())
            for file, tests in self.assigned_work.get(node, {}).items()
        )


@functools.cache
def starts_programs(file: str) -> bool:
    """Is it a file of tests that start whole programs?"""
    path = ROOT / file
    return file.startswith(("tests/whole/", "tests/tui/whole/")) or (
        path.suffix == ".py" and "mark.process" in path.read_text()
    )
