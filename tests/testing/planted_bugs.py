"""Realistic bugs of one server, each planted by replacing a function for a while."""

from tests.testing import (
    planted_access_bugs,
    planted_enrolment_bugs,
    planted_import_bugs,
    planted_link_bugs,
    planted_log_bugs,
    planted_machine_bugs,
    planted_operator_bugs,
)
from tests.testing.planting import Bug

BUGS: list[Bug] = [
    *planted_link_bugs.BUGS,
    *planted_log_bugs.BUGS,
    *planted_access_bugs.BUGS,
    *planted_operator_bugs.BUGS,
    *planted_enrolment_bugs.BUGS,
    *planted_machine_bugs.BUGS,
    *planted_import_bugs.BUGS,
]
