"""`leash.py PARENT SIGNAL USER -- COMMAND…`: becomes COMMAND, and ends when PARENT ends.

Started by path with `python -I -S`, so it imports nothing that is not in the standard library.
On Linux the kernel sends SIGNAL when the parent dies, even by SIGKILL; elsewhere the next start
cleans up (see `leftovers`). USER is `-`, or the account to run as when we are root.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Take on the account, tie this process to its parent, and exec the command."""
    parent, signal_number, user, _, *command = arguments
    if user != "-":
        _become(user)
    # After the change of account, which resets the setting.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal_number))
    if os.getppid() != int(parent):
        sys.exit("the parent ended before its child began")
    os.execv(command[0], command)  # noqa: S606  (becoming the command is what this is for)


def _become(user: str) -> None:
    import pwd  # noqa: PLC0415  (not on Windows, where nobody is root)

    account = pwd.getpwnam(user)
    os.initgroups(user, account.pw_gid)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)


if __name__ == "__main__":
    main(sys.argv[1:])
