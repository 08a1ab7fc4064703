"""A camera program that writes a file to standard output over a number of seconds: pace.py FILE SECONDS"""

import os
import sys
import time

# Pieces per second.
RATE = 25


def main():
    """Writes the file; ends early if nobody reads."""
    path, seconds = sys.argv[1], float(sys.argv[2])
    began = time.monotonic()
    with open(path, "rb") as file:
        piece = int(os.path.getsize(path) / seconds / RATE) + 1
        number = 0
        while data := file.read(piece):
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))
            try:
                sys.stdout.buffer.write(data)
                sys.stdout.flush()
            except BrokenPipeError:
                return
            number += 1


if __name__ == "__main__":
    main()
