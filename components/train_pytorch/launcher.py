"""torchrun, ending as the first process that failed did: `python -m ...launcher OPTIONS`.

Why: torchrun's own exit code is 1 whatever happened, and whether a process was killed decides who
must act. A signal N is told as 128 + N, as shells do, and nodes that do not find each other as a
process that lost the others.
"""

from __future__ import annotations

import sys
import traceback

from torch.distributed import DistError
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.rendezvous import RendezvousError
from torch.distributed.run import parse_args, run

from components.training.processes import AROUND


def main(arguments: list[str]) -> int:
    """Run torchrun with these options; return the exit code."""
    try:
        run(parse_args(arguments))
    except ChildFailedError as error:
        _, first = error.get_first_failure()
        return 128 - first.exitcode if first.exitcode < 0 else int(first.exitcode)
    except (DistError, RendezvousError):
        traceback.print_exc()
        return AROUND
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
