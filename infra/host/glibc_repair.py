"""Let tensorflow-data-validation and ml-metadata 1.21 load where glibc is older than 2.39.

Both publish Linux wheels for glibc >= 2.39 only. What they really need from it are six symbols.
On an older host this module compiles glibc_shim.c, lets the extension modules load it, and marks
the version needs that the host cannot meet as weak (VER_FLG_WEAK, LSB Core 10.7.2 "Symbol Version
Requirements"), which the dynamic linker then forgives.

Rules: nothing happens on a host with glibc >= 2.39; a repaired file is written beside and renamed;
repairing twice changes nothing; the wheel's file is the input, its digest is pinned by the lock.
"""

from __future__ import annotations

import platform
import struct
import subprocess
from pathlib import Path

GLIBC_WITH_THE_SYMBOLS = (2, 39)
EXTENSIONS = (
    "tensorflow_data_validation/pywrap/tensorflow_data_validation_extension.so",
    "ml_metadata/metadata_store/pywrap/metadata_store_extension.so",
)
WEAKENED_VERSIONS = frozenset({b"GLIBC_2.38", b"GLIBCXX_3.4.32", b"CXXABI_1.3.15"})
SHIM_NAME = "libtandem_glibc_shim.so"
_SHT_GNU_VERNEED = 0x6FFFFFFE
_VER_FLG_WEAK = 0x2


def host_glibc() -> tuple[int, int]:
    """Return the version of the C library; raise OSError where it is not glibc."""
    name, version = platform.libc_ver()
    if name != "glibc":
        raise OSError(f"expected glibc, found {name or 'another C library'}")
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def is_needed() -> bool:
    """Say whether this host lacks the symbols."""
    return host_glibc() < GLIBC_WITH_THE_SYMBOLS


def repair(site_packages: Path, patchelf: Path) -> list[Path]:
    """Repair both extension modules and return those that were changed."""
    changed = []
    for name in EXTENSIONS:
        extension = site_packages / name
        if _weaken_versions(extension.read_bytes()) != extension.read_bytes():
            _repair_one(extension, patchelf)
            changed.append(extension)
    return changed


def _repair_one(extension: Path, patchelf: Path) -> None:
    shim = extension.parent / SHIM_NAME
    source = Path(__file__).with_name("glibc_shim.c")
    subprocess.run(["gcc", "-O2", "-fPIC", "-shared", "-o", shim, source], check=True)
    beside = extension.with_suffix(".repaired")
    beside.write_bytes(_weaken_versions(extension.read_bytes()))
    beside.chmod(extension.stat().st_mode)
    subprocess.run(
        [patchelf, "--add-needed", SHIM_NAME, "--set-rpath", "$ORIGIN", beside], check=True
    )
    beside.replace(extension)


def _weaken_versions(elf: bytes) -> bytes:
    """Return the ELF64 little-endian image with WEAKENED_VERSIONS marked weak."""
    if elf[:6] != b"\x7fELF\x02\x01":
        raise OSError("expected a 64-bit little-endian ELF file")
    image = bytearray(elf)
    section_offset = struct.unpack_from("<Q", image, 0x28)[0]
    entry_size, count = struct.unpack_from("<HH", image, 0x3A)
    sections = [section_offset + i * entry_size for i in range(count)]
    for header in sections:
        kind = struct.unpack_from("<I", image, header + 4)[0]
        if kind == _SHT_GNU_VERNEED:
            offset = struct.unpack_from("<Q", image, header + 0x18)[0]
            strings_index = struct.unpack_from("<I", image, header + 0x28)[0]
            strings = struct.unpack_from("<Q", image, sections[strings_index] + 0x18)[0]
            _weaken_needs(image, offset, strings)
    return bytes(image)


def _weaken_needs(image: bytearray, need: int, strings: int) -> None:
    """Walk the Elf64_Verneed chain and set the flag on each matching Elf64_Vernaux."""
    while True:
        _, count, _, aux_offset, next_need = struct.unpack_from("<HHIII", image, need)
        aux = need + aux_offset
        for _ in range(count):
            _, flags, _, name_offset, next_aux = struct.unpack_from("<IHHII", image, aux)
            name_start = strings + name_offset
            name = bytes(image[name_start : image.index(0, name_start)])
            if name in WEAKENED_VERSIONS:
                struct.pack_into("<H", image, aux + 4, flags | _VER_FLG_WEAK)
            aux += next_aux
        if not next_need:
            return
        need += next_need
