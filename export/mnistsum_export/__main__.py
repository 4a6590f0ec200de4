"""`mnistsum-export`, and `python -m mnistsum_export`."""

from mnistsum_runtime.commands.launch import launch


def main() -> None:
    """Entry point of `mnistsum-export`."""
    launch("mnistsum_export.cli")


if __name__ == "__main__":
    main()
