"""Tests of the boot test itself: its time limit, and its parsing of multicast DNS responses."""

import contextlib
import io
import struct
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "boot_test"))

from cable import address_in, names_asked_for
from machine import Failure
from report import Report


def told(report: Report) -> tuple[int, list[str]]:
    """Exit code and last lines."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = report.end()
    return code, said.getvalue().splitlines()


class Time(unittest.TestCase):
    def test_what_does_not_fit_is_named(self) -> None:
        report = Report(minutes=1)
        self.assertTrue(report.has_time_for("a short thing", 30))
        self.assertFalse(report.has_time_for("a long thing", 90))
        code, lines = told(report)
        self.assertEqual(code, 0)
        self.assertEqual([line for line in lines if "NOT TRIED" in line], ["NOT TRIED, for it does not fit into 1 minutes here: a long thing"])

    def test_without_a_limit_all_fits(self) -> None:
        self.assertTrue(Report().has_time_for("a long thing", 1e9))

    def test_a_failure_counts(self) -> None:
        def fails() -> str:
            raise Failure("broken")

        report = Report()
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertTrue(report.attempt("works", lambda: "well"))
            self.assertFalse(report.attempt("does not", fails))
        code, lines = told(report)
        self.assertEqual((code, lines[-1]), (1, "1 passed, 1 failed"))


NAME = b"\5perch\5local\0"
QUESTION = NAME + struct.pack("!2H", 1, 1)


def answer(number: int = 7, flags: int = 0x8400, records: tuple[bytes, ...] = ()) -> bytes:
    """A response that repeats the question, as RFC 6762 requires for queries from another port."""
    return struct.pack("!6H", number, flags, 1, len(records), 0, 0) + QUESTION + b"".join(records)


def record(kind: int, data: bytes, name: bytes = b"\xc0\x0c") -> bytes:
    """A record; its name usually points to the question's."""
    return name + struct.pack("!2HIH", kind, 1, 10, len(data)) + data


class Names(unittest.TestCase):
    ADDRESS = bytes([169, 254, 3, 4])

    def test_the_address_is_found_behind_other_records(self) -> None:
        for name in (b"\xc0\x0c", NAME, b"\5perch\xc0\x12"):
            with self.subTest(name):
                self.assertEqual(address_in(answer(records=(record(28, bytes(16)), record(1, self.ADDRESS, name))), 7), "169.254.3.4")

    def test_other_answers_are_none(self) -> None:
        for other in (answer(number=8, records=(record(1, self.ADDRESS),)), answer(flags=0, records=(record(1, self.ADDRESS),)), answer(), answer(records=(record(28, bytes(16)),))):
            with self.subTest(other):
                self.assertIsNone(address_in(other, 7))

    def test_answers_that_are_cut_off_are_none(self) -> None:
        whole = answer(records=(record(1, self.ADDRESS),))
        for length in range(len(whole)):
            with self.subTest(length):
                self.assertIsNone(address_in(whole[:length], 7))

    def test_names_are_found_however_they_are_spelled(self) -> None:
        """A board that tries its names asks for all of them at once, and which comes first, and is spelled out, is chance."""
        asked_alone = struct.pack("!6H", 0, 0, 1, 0, 0, 0) + QUESTION
        service = b"\x0ePerch on perch\5_http\4_tcp\5local\0" + struct.pack("!2H", 255, 1)
        behind_another = struct.pack("!6H", 0, 0, 2, 0, 0, 0) + service + b"\5PERCH\xc0\x26" + struct.pack("!2H", 255, 1)
        self.assertEqual(names_asked_for(asked_alone), ["perch.local"])
        self.assertEqual(names_asked_for(behind_another), ["perch on perch._http._tcp.local", "perch.local"])

    def test_no_name_is_asked_for_in_an_answer(self) -> None:
        self.assertEqual(names_asked_for(answer(records=(record(1, self.ADDRESS),))), [])

    def test_pointers_in_a_circle_end(self) -> None:
        for name in (b"\xc0\x0c", b"\1a\xc0\x0c", b"\xc0\x0e\xc0\x0c"):
            with self.subTest(name):
                self.assertEqual(names_asked_for(struct.pack("!6H", 0, 0, 1, 0, 0, 0) + name + struct.pack("!2H", 1, 1)), [])


if __name__ == "__main__":
    unittest.main()
