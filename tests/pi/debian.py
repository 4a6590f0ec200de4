"""Debian arm64 roots and the emulator, from the Debian mirror that this machine's apt is configured for."""

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
    Path("/usr/bin/proot"): "proot",
    Path("/usr/bin/unshare"): "util-linux",
    KEYRING: "debian-archive-keyring",
    CERTIFICATES: "ca-certificates",
}
"""What must be there, and the Debian package that has it."""
QEMU_SUITE = "trixie"
"""QEMU 7.2, bookworm's, crashes when onnxruntime 1.28 or later is imported; trixie's is 10.0, and statically linked."""


def install_tools() -> None:
    """Install the Debian packages that are missing.

    Raises:
        click.ClickException: They are missing, and this is no Debian or the user is not root.
    """
    missing = sorted({package for file, package in TOOLS.items() if not file.exists()})
    if not missing:
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise click.ClickException(f"missing: {', '.join(missing)}; as root: apt-get install {' '.join(missing)}")
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


def debian_root(suite: str) -> Path:
    """An arm64 root of a release with its Python: packages unpacked, none of their scripts run.

    Raises:
        click.ClickException: It cannot be made.
    """

    def make(root: Path) -> None:
        click.echo(f"making a Debian {suite} root ...", err=True)
        run_well(
            [
                "debootstrap",
                "--foreign",  # only unpacks: nothing of the root is run
                "--arch=arm64",
                "--variant=minbase",
                "--include=python3,python3-venv",
                f"--keyring={KEYRING}",
                suite,
                root,
                debian_mirror(),
            ]
        )
        archives = root / "var/cache/apt/archives"
        for package in sorted(archives.glob("*.deb")):
            run_well(["dpkg-deb", "--extract", package, root])
            package.unlink()

    return make_once(f"root-{suite}", make)


def qemu() -> Path:
    """The emulator of aarch64 programs, unpacked aside: this machine's own packages stay as they are.

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

    return make_once(f"qemu-{QEMU_SUITE}", make) / "usr/bin/qemu-aarch64"
