"""What a campaign prints, kept as a file for the next person."""

from pathlib import Path


class Table:
    """Lines of text in the order in which they are printed."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def say(self, line: str) -> None:
        """Prints a line, and keeps it."""
        self._lines.append(line)
        print(line, flush=True)

    def write(self, path: Path) -> None:
        """Writes all lines."""
        path.write_text("\n".join(self._lines) + "\n")
