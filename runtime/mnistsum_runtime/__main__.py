"""`python -m mnistsum_runtime`, which is `mnistsum`."""

from mnistsum_runtime.commands.launch import umbrella

if __name__ == "__main__":
    umbrella()
