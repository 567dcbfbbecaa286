"""Tries as another user of the machine what can be opened: a program of its own, of the standard library alone.

Standard input has a line of JSON: `user` and `group`, numbers, and `places`: files, folders, sockets, and such sockets
as have a name but no file (with @ in front). Standard output gets those that open, a line of JSON.
"""

import json
import os
import socket
import stat
import sys


def main() -> None:
    """Becomes the other user and tries all places."""
    told = json.loads(sys.stdin.readline())
    os.setgroups([])
    os.setgid(told["group"])
    os.setuid(told["user"])
    print(json.dumps([place for place in told["places"] if opens(place)]))


def opens(place: str) -> bool:
    """Whether a file can be read or written, a folder listed, or a socket connected to."""
    try:
        if place.startswith("@") or stat.S_ISSOCK(os.lstat(place).st_mode):
            with socket.socket(socket.AF_UNIX) as connection:
                return connection.connect_ex(f"\0{place[1:]}" if place.startswith("@") else place) == 0
    except OSError:
        return False
    for flags in (os.O_RDONLY, os.O_WRONLY):
        try:
            os.close(os.open(place, flags))
        except OSError:
            continue
        return True
    return False


if __name__ == "__main__":
    main()
