"""Run a compiled pipeline that takes no arguments, in a process that imports no kfp."""

import sys
from pathlib import Path

from pipelines.runners.local import execute


def main() -> int:
    """Run the pipeline at the first path in the folder at the second."""
    ir, folder = (Path(argument) for argument in sys.argv[1:])
    folder.mkdir(parents=True)
    return execute(ir, folder, {}, environment={}, listener=lambda event: None).exit_code


if __name__ == "__main__":
    sys.exit(main())
