"""Shell lines run as on a Raspberry Pi, as far as that goes without one.

Emulated: every process of the lines, the shell included, is arm64 code from Debian's own packages and from the aarch64
wheels, and QEMU runs it as the given processor: an instruction that it does not have ends the process, as on the board
(onnxruntime 1.21.0 was seen to die of an illegal instruction as Cortex-A72 and to run as Cortex-A76, which is its issue
23957).
PRoot gives the processes the root and hands each program that they start to QEMU; it needs no rights and changes
nothing on this machine, unlike a binfmt_misc handler with chroot.

Not emulated: the kernel (system calls, /proc, /sys and the network are this machine's), memory size and timing; nothing
here says how fast a Pi is. No package's installation script has run in the root.
"""

import ast
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from child_process import run, run_well
from pi.debian import CERTIFICATES, debian_root, qemu
from pi.systems import System

HOME = "/home/pi"
_PASSED_ON = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout")
"""Settings of this machine's pip that pip on the Pi needs to find the same packages."""


@dataclass(frozen=True)
class EmulatedPi:
    """A system with a home folder; all that its lines write stays in the home folder."""

    system: System
    home: Path
    """A folder of this machine, there as /home/pi."""
    folders: dict[str, Path] = field(default_factory=dict)
    """More folders of this machine, by their name in the home folder."""

    def shell(self, lines: str, network: bool = False) -> subprocess.CompletedProcess[str]:
        """Run lines in a shell in the home folder until one of them fails; without `network` there is none."""
        binds = [Path("/dev"), Path("/proc"), Path("/sys"), CERTIFICATES]
        binds += [file for file in (Path("/etc/resolv.conf"), Path("/etc/hosts")) if network and file.exists()]
        places = [str(path) for path in binds]
        places += [f"{self.home}:{HOME}", *(f"{path}:{HOME}/{name}" for name, path in self.folders.items())]
        proot = ["proot", "-q", str(qemu()), "-r", str(debian_root(self.system.suite)), "-w", HOME]
        proot += [text for place in places for text in ("-b", place)]
        command = [*([] if network else _WITHOUT_NETWORK), *proot, "/bin/sh", "-ec", lines]
        return run(command, self._environment(network))

    def _environment(self, network: bool) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": HOME,
            "LANG": "C.UTF-8",
            "QEMU_CPU": self.system.processor,
            # Compiling numpy's modules takes longer under emulation than all the rest of an installation.
            "PIP_NO_COMPILE": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            **(_network_environment() if network else {}),
        }


_WITHOUT_NETWORK = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]


def _network_environment() -> dict[str, str]:
    """What this machine's pip needs to reach the package index, as environment variables."""
    environment = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    for line in run_well([sys.executable, "-m", "pip", "config", "list"]).splitlines():
        name, _, value = line.partition("=")
        key = name.rpartition(".")[2]
        if key in _PASSED_ON:
            # An index in a folder of this machine is not there in the root.
            there = [word for word in str(ast.literal_eval(value)).split() if not word.startswith("file:")]
            if there:
                environment[f"PIP_{key.upper().replace('-', '_')}"] = " ".join(there)
    return environment
