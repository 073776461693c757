"""What goes wrong between a client and the API server, by the kind of fault.

503      not handled, answered with 503
403      not handled, answered as one who may do other things, but not this
reset    not handled, the connection is closed
lost     handled, and the connection is closed before the answer: a time-out whose work was done
stalled  handled, and never answered: the connection is held until the client gives up (`gave_up`)
twice    handled two times, as by a proxy that sends a request again; the second answer is given
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field


@dataclass
class Fault:
    """A fault of the next `times` requests of a method to paths that a pattern matches."""

    kind: str
    method: str
    path: str
    times: int = 1


@dataclass
class Faults:
    """The faults to come, and how many clients have waited for an answer in vain."""

    coming: list[Fault] = field(default_factory=list)
    gave_up: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: str, method: str, path: str, times: int = 1) -> None:
        self.coming.append(Fault(kind, method, path, times))

    def next(self, method: str, path: str) -> Fault | None:
        """Return the fault of this request, None for none, and count it."""
        with self._lock:
            for fault in self.coming:
                if fault.times and fault.method == method and re.search(fault.path, path):
                    fault.times -= 1
                    return fault
        return None
