"""Which of several programs with one directory works on which task."""

from __future__ import annotations

import errno
import fcntl
import hashlib
from contextlib import suppress
from pathlib import Path
from types import TracebackType

NAME = ".claims"

# Where a file system has no locks, every program does every task: more work, the same results.
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS)
TAKEN = (errno.EACCES, errno.EAGAIN)


class Claims:
    """Locks on one byte of a file for each task. They end with the process, however it ends.

    They hold between machines on the file systems of clusters (NFS, Lustre). They are of a process:
    two threads of one are not kept apart.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file = (directory / NAME).open("ab")

    def take(self, result: Path) -> bool:
        """Claim the task of a result; False if another process has it."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, self._place(result))
        except OSError as error:
            if error.errno not in (*TAKEN, *WITHOUT_LOCKS):
                raise
            return error.errno not in TAKEN
        return True

    def release(self, result: Path) -> None:
        """Let others have a task."""
        with suppress(OSError):
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, self._place(result))

    def __enter__(self) -> Claims:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def _place(self, result: Path) -> int:
        """The byte of a task, far beyond the end of the file, which stays empty."""
        name = result.relative_to(self._directory).as_posix()
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")
