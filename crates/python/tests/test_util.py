"""Helpers: times, trees, command lines, settings."""

import argparse
import contextlib
import json
import logging
import os
import pathlib
import tempfile
import unittest
from datetime import datetime, timedelta, timezone

from flux import util


class Times(unittest.TestCase):
    def test_durations_are_read_and_written(self):
        for text, seconds in [("2s", 2.0), ("1.5h", 5400.0), ("100ms", 0.1), ("3", 3.0), ("1d", 86400.0)]:
            self.assertEqual(util.parse_fsd(text), seconds, text)
        for seconds, text in [(0, "0s"), (1.5, "1.500s"), (90, "1.5m"), ("7200", "2h")]:
            self.assertEqual(util.fsd(seconds), text)
        self.assertRaises(ValueError, util.parse_fsd, "soon")

    def test_points_in_time_are_read(self):
        now = datetime(2030, 1, 31, 12, 0, tzinfo=timezone.utc)
        self.assertEqual(util.parse_datetime("now", now), now)
        self.assertEqual(util.parse_datetime("+2h", now), now + timedelta(hours=2))
        self.assertEqual(util.parse_datetime("-1d", now), now - timedelta(days=1))
        self.assertEqual(util.parse_datetime("2030-01-31T12:00:00+00:00"), now)
        self.assertEqual(util.parse_datetime(str(now.timestamp())), now)
        with self.assertRaisesRegex(ValueError, "invalid date and time 'soon'"):
            util.parse_datetime("soon")


class Trees(unittest.TestCase):
    def test_dotted_keys_lead_into_dicts(self):
        tree = {}
        util.set_treedict(tree, "a.b.c", 1)
        util.set_treedict(tree, "a.d", 2)
        self.assertEqual(util.get_treedict(tree, "a.b.c"), 1)
        self.assertEqual(util.get_treedict(tree, "a.d.e", "none"), "none")
        util.del_treedict(tree, "a.b.c")
        self.assertEqual(tree, {"a": {"d": 2}})
        self.assertEqual(util.dict_merge({"a": {"b": 1}}, {"a": {"c": 2}}), {"a": {"b": 1, "c": 2}})

    def test_a_tree_is_drawn(self):
        tree = util.Tree(".", combine_children=True)
        child = tree.append("flux")
        for _ in range(3):
            child.append("sleep")
        tree.append("last")
        self.assertEqual(list(tree.lines()), [".", "├── flux", "│   └── 3*[sleep]", "└── last"])
        self.assertEqual(list(tree.lines(level=1)), [".", "├── flux", "└── last"])


class Commands(unittest.TestCase):
    def test_what_main_raises_is_one_line(self):
        logger = logging.getLogger("py-tool")
        for raised, code, said in [
            (ValueError("no such thing"), 1, "no such thing"),
            (OSError(17, "is there already"), 1, "is there already"),
            (SystemExit(3), 3, None),
        ]:

            def main(raised=raised):
                raise raised

            with contextlib.ExitStack() as stack:
                logs = stack.enter_context(self.assertLogs(logger)) if said else None
                caught = stack.enter_context(self.assertRaises(SystemExit))
                util.CLIMain(logger)(main)
            self.assertEqual(caught.exception.code, code)
            if said:
                self.assertEqual([record.getMessage() for record in logs.records], [said])
        util.CLIMain(logger)(lambda: None)

    def test_help_shows_one_value_an_option(self):
        parser = argparse.ArgumentParser(formatter_class=util.help_formatter(argwidth=30))
        parser.add_argument("-n", "--number", metavar="N", help="The number")
        self.assertRegex(parser.format_help(), r"\n  -n, --number=N +The number\n")

    def test_filters_are_noted(self):
        parser = argparse.ArgumentParser()
        parser.set_defaults(filtered=False)
        parser.add_argument("--since", action=util.FilterAction)
        parser.add_argument("-A", action=util.FilterTrueAction)
        parser.add_argument("--filter", action=util.FilterActionSetUpdate, default=set())
        self.assertFalse(parser.parse_args([]).filtered)
        self.assertTrue(parser.parse_args(["--since=now"]).filtered)
        self.assertTrue(parser.parse_args(["-A"]).A)
        self.assertEqual(parser.parse_args(["--filter=a,b", "--filter=c"]).filter, {"a", "b", "c"})


class Settings(unittest.TestCase):
    def test_files_of_the_user_go_over_those_of_the_system(self):
        with tempfile.TemporaryDirectory() as folder:
            places = [pathlib.Path(folder, name, "flux") for name in ("system", "own")]
            for place, settings in zip(places, [{"a": {"x": 1, "y": 1}}, {"a": {"y": 2}}]):
                place.mkdir(parents=True)
                (place / "tool.json").write_text(json.dumps(settings))
            os.environ.update(XDG_CONFIG_DIRS=f"{folder}/system", XDG_CONFIG_HOME=f"{folder}/own")
            self.addCleanup(os.environ.pop, "XDG_CONFIG_DIRS")
            self.addCleanup(os.environ.pop, "XDG_CONFIG_HOME")
            config = util.UtilConfig("tool", initial_dict={"a": {"z": 0}}).load()
            self.assertEqual(dict(config), {"a": {"x": 1, "y": 2, "z": 0}})
            self.assertEqual(dict(util.UtilConfig("tool", subcommand="a").load()), {"x": 1, "y": 2})
            (places[1] / "tool.json").write_text("{")
            with self.assertRaisesRegex(ValueError, "own/flux/tool.json"):
                util.UtilConfig("tool").load()


if __name__ == "__main__":
    unittest.main()
