"""List what an image holds, in CycloneDX: [IMAGE VARIANT], or what every lock pins.

Run in each Containerfile's stage `build`, and by `make sbom` for all locks.

Rules: what the image's lock pins is listed, each with its purl and the digests of the files that
the lock admits, under the reference of its distribution. With --installed the environment is read
too: what it has beside the lock (PyTorch's CPU build, Tandem itself) is listed, and a pin that it
lacks, or has in another version, ends this with 1. With --debian so are the system's packages. A
licence is what the distribution's own metadata say of it, and is left out where they say none.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

HERE = Path(__file__).resolve().parent
PIN = re.compile(r"^(\S+)==(\S+).*((?:\n[ \t]+--hash=.*)*)", re.MULTILINE)
DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
LICENCE_CLASSIFIER = "License :: OSI Approved :: "
LONGEST_NAME = 80  # of a licence; what is longer is its text


@dataclass(frozen=True)
class Pin:
    """A line of a lock: a package, its version, and the digests of the files that may be it."""

    name: str
    version: str
    digests: tuple[str, ...]


def pins(lock: str) -> list[Pin]:
    """Return what a lock pins."""
    return [Pin(n, v, tuple(DIGEST.findall(hashes))) for n, v, hashes in PIN.findall(lock)]


def normalised(name: str) -> str:
    """Return a package's name as PEP 503 compares it, and purls spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def bill(
    title: str,
    pinned: list[Pin],
    known: dict[str, Distribution],
    beside: frozenset[str] = frozenset(),
    debian: str = "",
) -> Bom:
    """Return the bill of materials; `known` gives licences, and the versions of those `beside`."""
    bom = Bom()
    image = Component(name=f"tandem-{title}", type=ComponentType.CONTAINER)
    bom.metadata.component = image
    listed = [_component(pin, known.get(normalised(pin.name))) for pin in pinned]
    listed += [_component(Pin(n, known[n].version, ()), known[n]) for n in sorted(beside)]
    listed += [_of_debian(*line.split()) for line in debian.splitlines()]
    for component in listed:
        bom.components.add(component)
    bom.register_dependency(image, listed)
    return bom


def _component(pin: Pin, found: Distribution | None) -> Component:
    purl = PackageURL("pypi", name=normalised(pin.name), version=pin.version)
    licence = _licence(found) if found and found.version == pin.version else None
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(purl.to_string()),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in pin.digests],
    )
    return Component(
        type=ComponentType.LIBRARY,
        name=pin.name,
        version=pin.version,
        purl=purl,
        bom_ref=purl.to_string(),
        licenses=[licence] if licence else (),
        external_references=[files] if pin.digests else (),
    )


def _of_debian(name: str, version: str, architecture: str) -> Component:
    qualifiers = {"arch": architecture}
    purl = PackageURL("deb", "debian", name, version, qualifiers=qualifiers)
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=version,
        purl=purl,
        bom_ref=purl.to_string(),
    )


def _licence(found: Distribution) -> License | None:
    """Return the licence that a distribution names: the newer metadata first."""
    factory = LicenseFactory()
    if expression := found.metadata.get("License-Expression"):
        return factory.make_from_string(expression)
    named = found.metadata.get("License", "").strip()
    if named and len(named) <= LONGEST_NAME and "\n" not in named and named != "UNKNOWN":
        return factory.make_from_string(named)
    for classifier in found.metadata.get_all("Classifier") or ():
        if classifier.startswith(LICENCE_CLASSIFIER):
            return factory.make_with_name(classifier.removeprefix(LICENCE_CLASSIFIER))
    return None


def installed(venv: Path) -> dict[str, Distribution]:
    """Return an environment's distributions, by their normalised names."""
    sites = [str(path) for path in venv.glob("lib/python3.*/site-packages")]
    return {normalised(found.name): found for found in distributions(path=sites)}


def differences(pinned: list[Pin], found: dict[str, Distribution]) -> Iterator[str]:
    """Say what is pinned and not installed, or in another version."""
    for pin in pinned:
        there = found.get(normalised(pin.name))
        if there is None:
            yield f"{pin.name}=={pin.version} is not installed"
        elif there.version != pin.version:
            yield f"{pin.name} is {there.version}, not {pin.version}"


def write(bom: Bom, path: Path) -> None:
    """Write a bill as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(JsonV1Dot6(bom).output_as_string(indent=2) + "\n", encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Write the bills; return 0, or 1 where an environment is not what is locked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("image", nargs="?", default="*")
    parser.add_argument("variant", nargs="?", default="*")
    parser.add_argument("--locks", type=Path, default=HERE.parent / "locks")
    parser.add_argument("--licences", type=Path, help="an environment to read licences from")
    parser.add_argument("--installed", type=Path, help="the image's environment")
    parser.add_argument("--debian", type=Path, help="its packages: name, version, architecture")
    parser.add_argument("--output", type=Path, required=True, help="a folder")
    given = parser.parse_args(arguments)
    debian = given.debian.read_text() if given.debian else ""
    venv = given.installed or given.licences
    known = installed(venv) if venv else {}
    for lock in sorted(given.locks.glob(f"image-{given.image}-{given.variant}.txt")):
        pinned, title = pins(lock.read_text()), lock.stem.removeprefix("image-")
        beside: set[str] = set()
        if given.installed:
            if found := list(differences(pinned, known)):
                print("\n".join(found), file=sys.stderr)
                return 1
            beside = known.keys() - {normalised(pin.name) for pin in pinned}
        bom = bill(title, pinned, known, frozenset(beside), debian)
        write(bom, given.output / f"tandem-{title}.cdx.json")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
