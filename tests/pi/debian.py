"""Debian roots and the emulators, from the Debian mirror that this machine's apt is configured for."""

import os
import shutil
from pathlib import Path

import click

from build_cache import make_once
from child_process import run_well

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
TOOLS = {
    Path("/usr/sbin/debootstrap"): "debootstrap",
    Path("/usr/bin/unshare"): "util-linux",
    KEYRING: "debian-archive-keyring",
    CERTIFICATES: "ca-certificates",
}
"""What must be there, and the Debian package that has it."""
QEMU_SUITE = "trixie"
"""QEMU 7.2, bookworm's, crashes when onnxruntime 1.28 or later is imported; trixie's is 10.0, and statically linked."""
PATH = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""In a root."""
_SHIMS = {
    # Compiling Python's modules takes longer under emulation than all the rest of an installation.
    "py3compile": "exit 0",
    "update-mime-database": "exit 0",
    "sudo": 'exec "$@"',  # root already
}
"""Programs that stand before Debian's in a root, with the line of shell that each is."""


def install_tools() -> None:
    """Install the Debian packages that are missing; `pi.possible` has said whether that can be done."""
    missing = sorted({package for file, package in TOOLS.items() if not file.exists()})
    if missing:
        run_well(["apt-get", "update"])
        run_well(["apt-get", "install", "--yes", "--no-install-recommends", *missing])


def debian_mirror() -> str:
    """The address of the Debian archive in apt's configuration.

    Raises:
        click.ClickException: There is none.
    """
    wanted = ["Identifier: Packages", "Origin: Debian", "Label: Debian"]
    query = ["apt-get", "indextargets", "--format", "$(REPO_URI)", *wanted]
    found = run_well(query).split()
    if not found and os.geteuid() == 0:
        run_well(["apt-get", "update"])  # without its lists apt does not know whose archive an address is
        found = run_well(query).split()
    if not found:
        raise click.ClickException("apt has no Debian archive among its sources, or no lists: apt-get update")
    return found[0]


def debian_root(suite: str, architecture: str) -> Path:
    """A root of a release with its Python: packages unpacked and noted as installed, none of their scripts run.

    apt works in it, and runs the scripts of what it installs.

    Raises:
        click.ClickException: It cannot be made.
    """

    def make(root: Path) -> None:
        click.echo(f"making a Debian {suite} {architecture} root ...", err=True)
        run_well(
            [
                "debootstrap",
                "--foreign",  # only unpacks: nothing of the root is run
                f"--arch={architecture}",
                "--variant=minbase",
                "--include=python3,python3-venv",
                f"--keyring={KEYRING}",
                suite,
                root,
                debian_mirror(),
            ]
        )
        unpack(root)
        furnish(root)

    return make_once(f"root-{suite}-{architecture}", make)


def unpack(root: Path) -> None:
    """Unpack the packages that debootstrap has fetched, and note each as installed."""
    status = []
    for package in sorted((root / "var/cache/apt/archives").glob("*.deb")):
        run_well(["dpkg-deb", "--extract", package, root])
        name, _, rest = run_well(["dpkg-deb", "--field", package]).partition("\n")
        status.append(f"{name}\nStatus: install ok installed\n{rest.strip()}\n\n")
        package.unlink()
    (root / "var/lib/dpkg/info").mkdir(parents=True, exist_ok=True)
    (root / "var/lib/dpkg/status").write_text("".join(status), encoding="utf-8")


def furnish(root: Path) -> None:
    """What scripts of packages would have made, and the places at which `pi.emulator` mounts."""
    shutil.rmtree(root / "debootstrap")
    for name in ("passwd", "group"):
        shutil.copy(root / f"usr/share/base-passwd/{name}.master", root / f"etc/{name}")
    for name in ("dev", "proc", "sys", "home/pi", "etc/ssl/certs", "usr/local/bin"):
        place = root / name
        if place.is_symlink():
            place.unlink()
        place.mkdir(parents=True, exist_ok=True)
    for file in (CERTIFICATES, Path("/etc/resolv.conf"), Path("/etc/hosts")):
        (root / file.relative_to("/")).touch()
    for name, line in _SHIMS.items():
        shim = root / "usr/local/bin" / name
        shim.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        shim.chmod(0o755)
    # Else apt would give the packages' scripts a path without them.
    (root / "etc/apt/apt.conf.d/path").write_text(f'DPkg::Path "{PATH}";\n', encoding="utf-8")


def qemu(machine: str) -> Path:
    """The emulator of a machine's programs, unpacked aside: this machine's own packages stay as they are.

    Args:
        machine: As QEMU names it: `aarch64` or `arm`.

    Raises:
        click.ClickException: It cannot be had.
    """

    def make(folder: Path) -> None:
        click.echo("fetching QEMU ...", err=True)
        sources = folder / "sources.list"
        sources.write_text(f"deb [signed-by={KEYRING}] {debian_mirror()} {QEMU_SUITE} main\n")
        (folder / "lists/partial").mkdir(parents=True)
        (folder / "cache/archives/partial").mkdir(parents=True)
        options = {
            "Dir::Etc::SourceList": sources,
            "Dir::Etc::SourceParts": "-",
            "Dir::State::Lists": folder / "lists",
            "Dir::Cache": folder / "cache",
            "APT::Sandbox::User": "root",
        }
        apt = ["apt-get", *(text for key, value in options.items() for text in ("-o", f"{key}={value}"))]
        run_well([*apt, "update"])
        run_well([*apt, "download", "qemu-user"], folder=folder)
        (package,) = folder.glob("qemu-user_*.deb")
        run_well(["dpkg-deb", "--extract", package, folder])
        package.unlink()
        shutil.rmtree(folder / "lists")
        shutil.rmtree(folder / "cache")

    return make_once(f"qemu-{QEMU_SUITE}", make) / "usr/bin" / f"qemu-{machine}"
