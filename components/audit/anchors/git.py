"""Notes as commits of a git repository, through the git program; on by default.

Rules: the repository lies below the home, where it proves little until it is elsewhere too: with a
remote each note is pushed at once. The remote is an anchor of its own: what it has is compared for
itself, so that one that is new, or was emptied, is told beside a repository that agrees. A history
that the remote refuses is never forced on it. Nothing of the user's git configuration takes part:
it could name another place in the remote's, or files that are never added.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from components.audit.anchors.anchor import Kept, note_path
from components.core.errors import PlatformError

_BRANCH = "checkpoints"
_REMOTE = "refs/remotes/anchor/checkpoints"
_SECONDS = 60
_WHO = ["-c", "user.name=tandem", "-c", "user.email=tandem@tandem.invalid"]
_PLAIN = [
    *("-c", "commit.gpgSign=false", "-c", "core.hooksPath=/dev/null"),
    *("-c", "gc.auto=0", "-c", "maintenance.auto=false"),
]


@dataclass(frozen=True)
class GitAnchor:
    """The repository below the home."""

    folder: Path

    @property
    def name(self) -> str:
        """Which anchor this is."""
        return "git"

    def keep(self, note: str) -> str:
        """Commit a note, and return the commit's id."""
        self._make()
        path = self.folder / note_path(note)
        if not path.exists() or path.read_text("utf-8") != note:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(note, "utf-8")
        self._git("add", "--", note_path(note))
        if self._git("status", "--porcelain", "--", note_path(note)):
            self._git(*_WHO, "commit", "--quiet", "--message", note_path(note))
        return self._git("rev-parse", "HEAD").strip()

    def kept(self) -> Iterator[Kept]:
        """Yield the notes of every commit."""
        here = (self.folder / ".git").exists()
        if here and self._git("for-each-ref", f"refs/heads/{_BRANCH}"):
            yield from self._notes(f"refs/heads/{_BRANCH}")

    def push(self, remote: str) -> None:
        """Give a remote every commit; PlatformError where it has others."""
        self._git("push", "--quiet", remote, f"HEAD:refs/heads/{_BRANCH}")

    def kept_at(self, remote: str) -> Iterator[Kept]:
        """Yield the notes of every commit that a remote has, which may have none."""
        self._make()
        if self._git("ls-remote", "--heads", remote, f"refs/heads/{_BRANCH}"):
            self._git("fetch", "--quiet", remote, f"+refs/heads/{_BRANCH}:{_REMOTE}")
            yield from self._notes(_REMOTE)

    def _make(self) -> None:
        """Make the repository unless it is there."""
        if not (self.folder / ".git").exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._git("init", "--quiet", f"--initial-branch={_BRANCH}")

    def _notes(self, branch: str) -> Iterator[Kept]:
        """Yield each version of each file, so that a note replaced later is still compared."""
        lines = self._git(
            "log", "--format=", "--raw", "--no-abbrev", "--no-renames", "-z", branch
        ).split("\0")
        for change, path in zip(lines[::2], lines[1::2], strict=False):
            blob = change.split(" ")[3]
            if set(blob) != {"0"}:
                yield Kept(f"git {blob[:12]} {path}", self._git("cat-file", "blob", blob))

    def _git(self, *arguments: str) -> str:
        environment = {key: value for key, value in os.environ.items() if key[:4] != "GIT_"}
        environment |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
        environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        try:
            done = subprocess.run(
                ["git", *_PLAIN, *arguments],  # noqa: S607 - the user's git, wherever it lies
                cwd=self.folder,
                capture_output=True,
                timeout=_SECONDS,
                env=environment,
                check=True,
            )
            return done.stdout.decode("utf-8")
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip().splitlines()
            raise _failed(said[-1] if said else f"exit {error.returncode}") from error
        except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as error:
            raise _failed(str(error)) from error


@dataclass(frozen=True)
class GitRemote:
    """Where the repository is pushed to."""

    local: GitAnchor
    remote: str

    @property
    def name(self) -> str:
        """Which anchor this is."""
        return "git remote"

    def keep(self, note: str) -> str:
        """Commit a note, unless it is, push it, and return the commit's id."""
        commit = self.local.keep(note)
        self.local.push(self.remote)
        return commit

    def kept(self) -> Iterator[Kept]:
        """Yield the notes of every commit that the remote has."""
        yield from self.local.kept_at(self.remote)


def _failed(why: str) -> PlatformError:
    return PlatformError(
        f"the git anchor failed: {why}",
        remedy="see that git is installed and that the remote can be reached, or turn it off",
    )
