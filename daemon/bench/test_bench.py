"""Tests of the bench's parsers on small inputs: `python3 -m unittest discover daemon/bench`."""

import unittest

import chat
import clip
import downloading
import hls
import ingesting
import listing
import recording
import relaying
import searching
import table


class AccessUnits(unittest.TestCase):
    def test_are_cut_before_headers_and_first_slices(self):
        parameter_sets = b"\0\0\0\1\x67A\0\0\1\x68B"
        idr = parameter_sets + b"\0\0\1\x65\x80slice" + b"\0\0\1\x65\x40second slice"
        picture = b"\0\0\0\1\x41\x80slice"
        stream = idr + picture + idr
        units = clip.access_units(stream)
        self.assertEqual([stream[unit.start : unit.end] for unit in units], [idr, picture, idr])
        self.assertEqual([unit.is_idr for unit in units], [True, False, True])

    def test_without_a_slice_there_is_none(self):
        self.assertEqual(clip.access_units(b"\0\0\1\x67A"), [])


class TransportStreams(unittest.TestCase):
    def test_are_cut_before_packets_that_begin_a_picture(self):
        def packet(pid, begins=False, is_idr=False):
            field = b"\x01\x40" if is_idr else b""
            head = bytes([0x47, begins << 6 | pid >> 8, pid & 0xFF, (0x30 if field else 0x10)])
            return (head + field).ljust(188, b"\xff")

        tables, idr, more, picture = packet(0, True), packet(256, True, True), packet(256), packet(256, True)
        stream = tables + idr + more + tables + picture
        units = clip.transport_units(stream)
        self.assertEqual([(unit.start // 188, unit.end // 188, unit.is_idr) for unit in units], [(0, 4, True), (4, 5, False)])


class Playlists(unittest.TestCase):
    def test_window_and_sequence(self):
        playlist = hls.parse("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:2.000,\n7.ts\n#EXTINF:1.5,\n8.ts\n")
        self.assertEqual(playlist.segments, [("7.ts", 2.0), ("8.ts", 1.5)])
        self.assertEqual((playlist.last_sequence, playlist.seconds), (8, 3.5))


class Runs(unittest.TestCase):
    def test_several_show_the_median_one_and_the_spread(self):
        def run(ratio, error=None):
            rows = [table.Row("a", f"{ratio}/s", "1/s", f"{ratio:.2f} × (0.10 to 9.00)", "not slower", ratio >= 1), table.Row("b", str(ratio), "")]
            return [table.Result("serving", "nginx", rows, error=error)]

        (result,) = table.median_of([run(1.5), run(0.9), run(1.1)])
        self.assertEqual(result.rows[0], table.Row("a", "1.1/s", "1/s", "1.10 × (0.90 to 1.50)", "not slower", True))
        self.assertEqual(result.rows[1].perch, "1.1")
        (failed,) = table.median_of([run(1.5), run(0.9, "no nginx"), run(1.1)])
        self.assertEqual((failed.rows, failed.error), ([], "no nginx"))


class Searching(unittest.TestCase):
    def test_reads_what_rust_prints(self):
        said = "10000 streams\ntext: one letter    614.02µs best,    1.87ms median,    2.62ms worst (20 on the page)\n1 messages in one commit   1ms best, 2ms median, 2.5s worst \n"
        reading, writing = searching.rows(said)
        self.assertEqual((reading.what, reading.perch, reading.met), ("text: one letter", "1.87ms (614.02µs to 2.62ms)", True))
        self.assertIsNone(writing.met)
        self.assertAlmostEqual(searching.seconds("614.02µs"), 0.00061402)


class Table(unittest.TestCase):
    def test_says_what_was_missed_and_what_was_not_measured(self):
        missed = table.Result("one", "peer", [table.Row("a", "1", "2", "", "≥ 5", False), table.Row("b", "1", "2", "", "≥ 1", True)])
        text = table.render([("machine", "x")], [missed, table.Result("two", "", error="no such tool")])
        self.assertIn("1 of 2 targets met. Not measured: two.", text)
        self.assertIn("**Could not be measured:** no such tool", text)
        self.assertRegex(text, r"\| a +\| 1 +\| 2 +\| +\| ≥ 5 +\| NO +\|")


class Histogram(unittest.TestCase):
    def test_mean_bound_and_count(self):
        name = listing._HISTOGRAM
        text = f'{name}_sum 0.3\n{name}_count 3\n{name}_bucket{{le="0.1"}} 1\n{name}_bucket{{le="0.25"}} 3\n{name}_bucket{{le="+Inf"}} 3\n'
        mean, highest, count = listing._histogram(text)
        self.assertAlmostEqual(mean, 0.1)
        self.assertEqual((highest, count), (0.25, 3))


class Recordings(unittest.TestCase):
    def test_what_recording_adds_is_compared_with_all_of_the_peer(self):
        live, peer = recording.Observed(0.80, 0), recording.Observed(1.00, 31_000_000)
        row, _, written = recording.compare(live, recording.Observed(1.00, 30_500_000), peer).rows
        self.assertEqual((row.perch, row.peer, row.compared, row.met), ("0.20 %", "1.00 %", "5.0 × less", True))
        self.assertEqual(written.compared, "1.02 × less")
        row, *_ = recording.compare(live, recording.Observed(1.20, 30_500_000), peer).rows
        self.assertFalse(row.met)
        # The machine was busy: recording seems to cost less than nothing.
        row, *_ = recording.compare(live, recording.Observed(0.70, 30_500_000), peer).rows
        self.assertTrue(row.met and row.compared[:1].isdigit())

    def test_what_was_not_recorded_is_not_compared(self):
        live, peer = recording.Observed(0.80, 0), recording.Observed(1.00, 31_000_000)
        with self.assertRaises(RuntimeError):
            recording.compare(live, recording.Observed(0.80, 0), peer)


class Relays(unittest.TestCase):
    def test_what_relays_add_is_compared(self):
        ours = relaying.Observed(0.50, 20_000_000), relaying.Observed(0.70, 21_000_000)
        theirs = relaying.Observed(0.40, 30_000_000), relaying.Observed(0.80, 30_500_000)
        cpu, memory = relaying.compare(4, ours, theirs)
        self.assertEqual((cpu.what, cpu.perch, cpu.peer), ("CPU that 4 relays add, part of one core", "0.20 %", "0.40 %"))
        self.assertEqual((cpu.compared, cpu.met, memory.compared), ("2.0 × less", True, "0.5 × less"))
        self.assertFalse(relaying.compare(1, theirs, ours)[0].met)
        self.assertTrue(relaying.compare(1, ours[::-1], theirs)[0].met)


class Ingest(unittest.TestCase):
    def test_what_streams_cost_is_compared(self):
        cpu, memory = ingesting.compare(4, ingesting.Observed(0.5, 100_000_000), ingesting.Observed(0.4, 150_000_000))
        self.assertEqual((cpu.what, cpu.compared, cpu.met), ("CPU of 4 streams, part of one core", "0.8 × less", False))
        self.assertEqual(memory.compared, "1.5 × less")
        self.assertTrue(ingesting.compare(1, ingesting.Observed(0.4, 1), ingesting.Observed(0.4, 1))[0].met)


class Downloads(unittest.TestCase):
    def test_the_median_of_the_turns_counts(self):
        def turn(ours, theirs):
            return downloading.Round(ours * 1e9, 2e-10, 3e-10), downloading.Round(theirs * 1e9, 4e-10, 6e-10)

        row = downloading.compare(4, [turn(3, 2), turn(1, 2), turn(2.2, 2)])
        self.assertEqual((row.what, row.perch, row.peer), ("4 connections", "2.20 GB/s, 200 + 300 ms/GB", "2.00 GB/s, 400 + 600 ms/GB"))
        self.assertEqual((row.compared, row.met), ("1.10 × (0.50 to 1.50)", True))
        self.assertFalse(downloading.compare(1, [turn(1.9, 2)]).met)
        row = downloading.compare_paced([(1e-10, 2e-10), (2e-10, 2e-10), (4e-10, 2e-10)])
        self.assertEqual((row.what, row.perch, row.peer, row.compared), ("CPU at 20.00 MB/s", "200 ms/GB", "200 ms/GB", "1.00 × (0.50 to 2.00)"))


class Chats(unittest.TestCase):
    def test_what_is_kept_is_all_that_was_acknowledged(self):
        figures = {"clients": 500, "messages": 1200, "deliveries": 600_000, "p50_ms": 6.0, "p99_ms": 101.0, "max_ms": 200.0, "lost": 0, "doubled": 1, "out_of_order": 0, "kept": 1199, "bytes_per_client": 40_000}
        rows = {row.what: row.met for row in chat.compare(figures).rows}
        self.assertEqual([met for met in rows.values() if met is not None], [False, False, False])
        figures |= {"p99_ms": 40.0, "doubled": 0, "kept": 1200}
        self.assertTrue(all(row.met is not False for row in chat.compare(figures).rows))


if __name__ == "__main__":
    unittest.main()
