"""The folder of an environment in which set-up leaves what every new home would make again."""

from __future__ import annotations

import sys
from pathlib import Path

INSTALLED = Path(sys.prefix, "tandem")
"""What lies here is of this environment; where it is missing a run makes its own."""
