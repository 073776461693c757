"""torchrun, ending as the process did that took the others along: `python -m ...launcher OPTIONS`.

Why: torchrun's own exit code is 1 whatever happened, and whether a process was killed decides who
must act. Of processes that it finds ended at once it would name the first by number, which may have
lost the one that was killed. A signal N is told as 128 + N, as shells do, and nodes that do not
find each other as a process that lost the others.
"""

from __future__ import annotations

import sys
import traceback

from torch.distributed import DistError
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.rendezvous import RendezvousError
from torch.distributed.run import parse_args, run

from components.training.processes import AROUND, telling


def main(arguments: list[str]) -> int:
    """Run torchrun with these options; return the exit code."""
    try:
        run(parse_args(arguments))
    except ChildFailedError as error:
        code = min((int(one.exitcode) for one in error.failures.values()), key=telling)
        return 128 - code if code < 0 else code
    except (DistError, RendezvousError):
        traceback.print_exc()
        return AROUND
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
