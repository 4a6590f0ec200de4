"""Shell lines run as on a Raspberry Pi, as far as that goes without one.

Emulated: every process of the lines, the shell included, is Arm code from Debian's own packages and from wheels, and
QEMU runs it as the given processor: an instruction that it does not have ends the process, as on the board
(onnxruntime 1.21.0 was seen to die of an illegal instruction as Cortex-A72 and to run as Cortex-A76, which is its issue
23957).
The lines run in namespaces of their own, in which the kernel hands each program of the other kind to QEMU: nothing is
registered or mounted on this machine.

Not emulated: the kernel (system calls, /proc, /sys and the network are this machine's), memory size and timing; nothing
here says how fast a Pi is.
"""

import ast
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from child_process import run_well
from pi.debian import CERTIFICATES, PATH, qemu
from pi.systems import System

HOME = "/home/pi"
_PASSED_ON = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout")
"""Settings of this machine's pip that pip on the Pi needs to find the same packages."""
_EMULATED = {
    # The first 20 bytes of an ELF file: its class, that it is a program, and its machine.
    "arm64": ("aarch64", r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"),
    "armhf": ("arm", r"\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x28\x00"),
}
"""QEMU's name of an architecture, and how the kernel knows its programs."""
_PATIENCE = 1800
"""Seconds for lines: an installation takes two minutes, and ten where all cores have other work."""
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"


@dataclass(frozen=True)
class EmulatedPi:
    """A system with a home folder; what its lines write stays in the home folder and in the root."""

    system: System
    root: Path
    home: Path
    """A folder of this machine, there as /home/pi."""
    folders: dict[str, Path] = field(default_factory=dict)
    """More folders of this machine, by their name in the home folder."""
    environment: dict[str, str] = field(default_factory=dict)
    """More variables."""

    def shell(self, lines: str, network: bool = False) -> subprocess.CompletedProcess[str]:
        """Run lines in a shell in the home folder until one of them fails; without `network` there is none.

        Raises:
            click.ClickException: They do not end.
        """
        self.home.mkdir(exist_ok=True)
        for name in self.folders:
            (self.home / name).mkdir(exist_ok=True)
        return _run_in_namespaces(self._commands(lines, network), self._environment(network), network)

    def _commands(self, lines: str, network: bool) -> list[str]:
        """Lines for this machine's shell, in namespaces of its own: mount, and go into the root."""
        root = shlex.quote(str(self.root))
        binds = {str(CERTIFICATES): str(CERTIFICATES), str(self.home): HOME}
        binds |= {str(path): f"{HOME}/{name}" for name, path in self.folders.items()}
        if network:
            binds |= {file: file for file in ("/etc/resolv.conf", "/etc/hosts") if Path(file).exists()}
        within = f"cd {HOME}; exec /bin/sh -ec {shlex.quote(lines)}"
        return [
            *([] if self.system.architecture == "amd64" else _register(self.system.architecture)),
            *(f"mount --rbind /{name} {root}/{name}" for name in ("dev", "proc", "sys")),
            f"mount -t tmpfs tmpfs {root}/tmp",
            *(f"mount --bind {shlex.quote(here)} {root}{there}" for here, there in binds.items()),
            f"exec chroot {root} /bin/sh -ec {shlex.quote(within)}",
        ]

    def _environment(self, network: bool) -> dict[str, str]:
        return {
            "PATH": PATH,
            "HOME": HOME,
            "LANG": "C.UTF-8",
            "QEMU_CPU": self.system.processor,
            "DEBIAN_FRONTEND": "noninteractive",
            # Compiling numpy's modules takes longer under emulation than all the rest of an installation.
            "PIP_NO_COMPILE": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            **(_network_environment() if network else {}),
            **self.environment,
        }


def _register(architecture: str) -> list[str]:
    """Lines that make the kernel run an architecture's programs with QEMU, in this namespace alone."""
    machine, magic = _EMULATED[architecture]
    line = f":{machine}:M::{magic}:{_MASK}:{qemu(machine)}:F"
    place = "/proc/sys/fs/binfmt_misc"
    return [f"mount -t binfmt_misc binfmt_misc {place}", f"printf %s {shlex.quote(line)} > {place}/register"]


def _run_in_namespaces(
    lines: Sequence[str], environment: dict[str, str], network: bool
) -> subprocess.CompletedProcess[str]:
    """Run lines in this machine's shell with its own users, mounts and processes, until one of them fails."""
    script = "\n".join(["set -e", "read -r go", *lines])  # it waits until its users are mapped
    spaces = ["--user", "--mount", "--pid", "--fork", "--kill-child", *([] if network else ["--net"])]
    command = ["unshare", *spaces, "/bin/sh", "-c", script]
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        _map_users(process)
        out, err = process.communicate("go\n", timeout=_PATIENCE)
    except subprocess.TimeoutExpired as error:
        raise click.ClickException(f"no end after {_PATIENCE} s of: {lines[-1]}") from error
    finally:
        process.kill()
        process.wait()
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _map_users(process: subprocess.Popen[str]) -> None:
    """Give a process in its new namespace all users, as they are here: dpkg makes files of several."""
    own = Path("/proc/self/ns/user").readlink()
    while Path(f"/proc/{process.pid}/ns/user").readlink() == own and process.poll() is None:
        time.sleep(0.01)
    for file in ("uid_map", "gid_map"):
        Path(f"/proc/{process.pid}/{file}").write_text("0 0 65536")


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
