"""Numbers of jobs in their encodings."""

import pickle
import unittest

from flux.job import JobID, id_encode, id_parse

ENCODINGS = {
    "dec": "6731191091817518",
    "hex": "0x17e9fb8df16c2e",
    "dothex": "0017.e9fb.8df1.6c2e",
    "kvs": "job.0017.e9fb.8df1.6c2e",
    "words": "reform-remote-galileo--heart-package-academy",
    "f58": "ƒuZZybuNNy",
    "f58plain": "fuZZybuNNy",
}


class Encodings(unittest.TestCase):
    def test_every_encoding_is_read_and_written(self):
        for name, text in ENCODINGS.items():
            with self.subTest(name):
                self.assertEqual(id_parse(text), 6731191091817518)
                self.assertEqual(id_encode(6731191091817518, name), text)
                self.assertEqual(JobID(text), 6731191091817518)
                self.assertEqual(getattr(JobID(6731191091817518), name), text)
        emoji = JobID(1234).emoji
        self.assertEqual(JobID(emoji), 1234)

    def test_what_is_none_is_refused_with_its_text(self):
        with self.assertRaisesRegex(ValueError, "zz! is not a valid Flux jobid"):
            JobID("zz!")
        with self.assertRaises(ValueError):
            JobID(-1)
        with self.assertRaises(ValueError):
            JobID(1 << 64)
        with self.assertRaisesRegex(ValueError, "unknown job id encoding 'base3'"):
            id_encode(1, "base3")

    def test_it_is_a_number_that_is_printed_in_base_58(self):
        jobid = JobID("ƒ2J")
        self.assertIsInstance(jobid, int)
        self.assertEqual(jobid + 1, int(jobid) + 1)
        self.assertEqual(str(jobid), "ƒ2J")
        self.assertEqual(f"{jobid:>5} {jobid:d}", f"  ƒ2J {int(jobid)}")
        self.assertEqual(repr(JobID(7)), "JobID(7)")
        self.assertEqual(JobID("0x10").orig, "0x10")
        self.assertEqual(JobID(jobid), jobid)

    def test_it_can_be_a_key_and_be_pickled(self):
        self.assertEqual({JobID(5): 1}[5], 1)
        self.assertEqual(pickle.loads(pickle.dumps(JobID("ƒ2J"))), JobID("ƒ2J"))


if __name__ == "__main__":
    unittest.main()
