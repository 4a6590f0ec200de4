"""`mnistsum-train`, and `python -m mnistsum_train`."""

from mnistsum_runtime.commands.launch import launch


def main() -> None:
    """Entry point of `mnistsum-train`."""
    launch("mnistsum_train.cli")


if __name__ == "__main__":
    main()
