"""Build an image of infra/images with buildah, and start programs in it: IMAGE VARIANT.

Run by `make image` as root. The base is the image that BASE names, or a Debian 13 that mmdebstrap
makes here, once; the image is named localhost/tandem-IMAGE:VARIANT. With RELEASE=yes BASE has to be
named by its digest.

Rules: everything goes through `buildah`, without an overlay or a container of its own, which a
container may not have (storage vfs, isolation chroot); a program runs as the image's own user. The
revision, the time and the version go into the image's labels.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from components.core.errors import PlatformError, SettingsError, TandemError
from pipelines.cli.parser import PACKAGE
from pipelines.identity import code

ROOT = Path(__file__).resolve().parents[2]
IMAGES = Path(__file__).parent
MADE_BASE = "localhost/tandem-debian:13"
PACKAGES = "ca-certificates,python3"
BY_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
# A host that inspects TLS has its own authorities; the image keeps its own.
AUTHORITIES = "/etc/ssl/certs:/etc/ssl/certs:ro"


def main(arguments: list[str]) -> int:
    """Build one image; return 0, or 1 with one line of cause and remedy."""
    try:
        print(build(*arguments))
    except TandemError as error:
        print(f"tandem: {error.message}; {error.remedy}", file=sys.stderr)
        return 1
    return 0


def build(image: str, variant: str = "cpu") -> str:
    """Build an image of this tree; return its name."""
    recipe = recipe_of(image, variant)
    named = os.environ.get("BASE", "")
    if os.environ.get("RELEASE") == "yes":
        require_digest(named)
    require("buildah")
    base = named or _base()
    name = f"localhost/tandem-{image}:{variant}"
    print(f"image: {name} from {base}", flush=True)
    told = arguments(variant, base)
    buildah(
        *("bud", "--quiet", "--isolation", "chroot"),
        *(word for volume in volumes(variant) for word in ("--volume", volume)),
        *(word for pair in told.items() for word in ("--build-arg", "=".join(pair))),
        *("--tag", name, "--file", recipe, ROOT),
    )
    return name


def recipe_of(image: str, variant: str) -> Path:
    """Return an image's Containerfile; SettingsError for an image or variant that is none."""
    if not (ROOT / "infra" / "locks" / f"image-{image}-{variant}.txt").is_file():
        raise SettingsError(f"there is no image {image} {variant}", remedy="see docs/images.md")
    return IMAGES / image / "Containerfile"


def require_digest(base: str) -> None:
    """Raise SettingsError for a base whose content its name does not say."""
    if not BY_DIGEST.search(base):
        raise SettingsError(
            f"a release is built from a base of a digest, and BASE is {base or 'not given'}",
            remedy="give BASE=docker.io/library/debian:13-slim@sha256:DIGEST: the registry says it "
            "(skopeo inspect --format '{{.Digest}}' docker://docker.io/library/debian:13-slim)",
        )


def arguments(variant: str, base: str) -> dict[str, str]:
    """Return the build arguments."""
    links = {"UV_FIND_LINKS": ",".join(found)} if (found := _find_links(variant)) else {}
    return {"BASE": base, "VARIANT": variant, **_labels(), **links}


def volumes(variant: str) -> list[str]:
    """Return what a build sees of this machine."""
    return [AUTHORITIES, *(f"{place}:{place}:ro" for place in _find_links(variant))]


def _labels() -> dict[str, str]:
    here = code()
    return {
        "VERSION": version(PACKAGE),
        "REVISION": here["commit"] + ("-dirty" if here["dirty"] else ""),
        "CREATED": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _find_links(variant: str) -> list[str]:
    """Return the folders of PIP_FIND_LINKS, where PyTorch's CPU build may lie."""
    places = shlex.split(os.environ.get("PIP_FIND_LINKS", "")) if variant == "cpu" else []
    return [place for place in places if Path(place).is_dir()]


def require(program: str) -> None:
    """Raise SettingsError where a program is not installed."""
    if shutil.which(program) is None:
        raise SettingsError(
            f"{program} is not installed", remedy=f"apt-get install {program}, then try again"
        )


def buildah(*words: str | Path) -> str:
    """Run buildah; show its messages and return what it prints."""
    command = ["buildah", "--storage-driver", "vfs", *map(str, words)]
    ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if ended.returncode:
        raise PlatformError(
            f"buildah {words[0]} ended with {ended.returncode}; its message is above",
            remedy="mend the cause and run the same command again",
        )
    return ended.stdout.strip()


@contextmanager
def container_of(image: str) -> Iterator[str]:
    """Make a container of an image, for as long as it is used."""
    container = buildah("from", image)
    try:
        yield container
    finally:
        buildah("rm", container)


def run_in(
    container: str,
    work: Sequence[str],
    volumes: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> str:
    """Run a program in a container as its image's user; return what it prints."""
    return buildah(
        *("run", "--isolation", "chroot"),
        *(word for pair in (variables or {}).items() for word in ("--env", "=".join(pair))),
        *(word for volume in volumes for word in ("--volume", volume)),
        *(container, "--", *work),
    )


def _base() -> str:
    """Return the name of a Debian 13 made here, once."""
    known = buildah("images", "--format", "{{.Name}}:{{.Tag}}").splitlines()
    if MADE_BASE not in known:
        require("mmdebstrap")
        print("base: Debian 13 by mmdebstrap", flush=True)
        with tempfile.TemporaryDirectory(prefix="tandem-base-") as folder:
            _make_base(Path(folder))
    return MADE_BASE


def bootstrap(place: Path) -> None:
    """Make a Debian 13: a folder, or an archive by its name."""
    make = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", "trixie", place]
    subprocess.run(make, check=True)


def _make_base(folder: Path) -> None:
    bootstrap(folder / "root.tar")
    recipe = folder / "Containerfile"
    recipe.write_text("FROM scratch\nADD root.tar /\n")
    buildah("bud", "--quiet", "--tag", MADE_BASE, "--file", recipe, folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
