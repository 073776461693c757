"""What a stage runs on: processor, memory, accelerators, and the image where there is one.

Rules: it is said of the machine as the process sees it, for the record alone: no cache key and no
comparison of a repetition asks for it, since a result must not depend on it. A container does not
know its own image: whoever starts it with one that is pinned by digest names it in TANDEM_IMAGE.
"""

from __future__ import annotations

import functools
import os
import platform
import re
from pathlib import Path

from components.core.errors import SettingsError
from components.core.gpus import gpu_names

IMAGE_VARIABLE = "TANDEM_IMAGE"
IMAGE = re.compile(r"[a-z0-9][\w./:-]*@sha256:([0-9a-f]{64})", re.ASCII)
_CPUINFO = Path("/proc/cpuinfo")
_GIB = 2**30


def machine() -> dict[str, str]:
    """Return cpu, cpus, memory, gpus and image; the last two where there are any.

    Raises SettingsError for a TANDEM_IMAGE that names no image by digest.
    """
    return {**_hardware(), **_image()}


@functools.cache
def _hardware() -> dict[str, str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    names = gpu_names()
    return {
        "cpu": _cpu(_CPUINFO),
        "cpus": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory / _GIB:.1f} GiB",
        **({"gpus": ", ".join(names)} if names else {}),
    }


def _cpu(cpuinfo: Path) -> str:
    """Return the processor's name; its architecture where the kernel does not name it."""
    try:
        with cpuinfo.open(encoding="utf-8", errors="replace") as lines:
            named = next((line for line in lines if line.startswith("model name")), "")
    except OSError:
        named = ""
    return named.partition(":")[2].strip() or platform.machine()


def _image() -> dict[str, str]:
    image = os.environ.get(IMAGE_VARIABLE)
    if not image:
        return {}
    if not IMAGE.fullmatch(image):
        raise SettingsError(
            f"{IMAGE_VARIABLE} names no image by its digest: {image}",
            remedy="give NAME@sha256:DIGEST, as the image was pinned, or unset it",
        )
    return {"image": image}
