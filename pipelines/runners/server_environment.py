"""What a fork server finds in its environment, before a request brings a task's own.

Why: libraries read these once, when loaded, and a pool of threads that an import made would not
survive the fork. A step that may use more threads tells its library so itself (TANDEM_THREADS).
"""

from __future__ import annotations

from collections.abc import Mapping

from components.core.threads import LIBRARIES

SERVER_ENVIRONMENT: Mapping[str, str] = {
    **dict.fromkeys(LIBRARIES, "1"),
    "_KFP_RUNTIME": "true",
    # Waiting threads that spin would take the core from the sibling branch.
    "OMP_WAIT_POLICY": "PASSIVE",
    "KMP_BLOCKTIME": "0",
    # pyarrow's allocator starts a thread when it is loaded.
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
