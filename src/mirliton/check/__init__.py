"""`mirliton check`: validates documents offline and points at the place in the file."""

from mirliton.check.files import check_files
from mirliton.check.kinds import KINDS

__all__ = ["KINDS", "check_files"]
