"""As a service of systemd: what it is told, and the unit file.

References: sd_notify(3), systemd.service(5), systemd.exec(5).
"""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

UNIT = """\
[Unit]
Description=mnistsum: reads handwritten digits
After=network.target

[Service]
Type=notify
ExecStart={command}
Restart=on-failure
RestartSec=2
WatchdogSec=30
TimeoutStopSec=10

DynamicUser=yes
MemoryMax=400M
TasksMax=64
Nice=5

AmbientCapabilities=
CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome={home}
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
PrivateDevices={devices}
PrivateTmp=yes
PrivateUsers=yes
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
UMask=0077
IPAddressDeny={denied}
IPAddressAllow={allowed}

[Install]
WantedBy=multi-user.target
"""

_NO_HOMES = ("/usr/", "/opt/", "/srv/")
"""Where software is that is in nobody's home."""


def unit(options: Sequence[str], *, loopback: bool, camera: bool) -> str:
    """A unit file that starts this installation's `mnistsum-serve`.

    Args:
        options: Of the command line.
        loopback: Whether it listens on this machine alone: then nobody else reaches it, whatever it does.
        camera: Whether a command is run that needs a device.
    """
    command = " ".join(
        _quote(word) for word in [sys.executable, "-P", "-m", "mnistsum_runtime.commands.serve", *options]
    )
    hidden = os.path.realpath(sys.prefix).startswith(_NO_HOMES)  # else it may be in a home, and must be seen there
    return UNIT.format(
        command=command,
        home="yes" if hidden else "read-only",
        devices="no" if camera else "yes",
        denied="any",
        allowed="localhost" if loopback else "localhost link-local 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7",
    )


def _quote(word: str) -> str:
    """A word of ExecStart: quoted where it has spaces, with what systemd would replace doubled."""
    word = word.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$").replace('"', '\\"')
    return f'"{word}"' if any(character.isspace() or character in "\"';" for character in word) or not word else word


def notify(state: str) -> None:
    """Tell systemd, if it is what started this process; see sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
        connection.connect("\0" + address[1:] if address.startswith("@") else address)
        connection.sendall(state.encode())


def watchdog_seconds() -> float | None:
    """How often systemd wants to hear that the process lives: half of its patience; None where it does not ask."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 2_000_000
