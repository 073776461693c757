"""Words of a command line that must say something: an empty one is mostly a variable not set.

Standard library only.
"""

from __future__ import annotations

import argparse


def filled(text: str) -> str:
    """Return what was typed; ArgumentTypeError for nothing, or blanks alone."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty")
    return text
