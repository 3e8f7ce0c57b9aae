"""Host lists, sets of ids and of resources, queries, shapes, directives, formats and URIs."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

from flux.constraint.parser import ConstraintParser, ConstraintSyntaxError
from flux.hostlist import Hostlist
from flux.idset import IDset
from flux.resource import ResourceSet
from flux.uri import FluxURIResolver, JobURI
from flux.util import OutputFormat


class Hostlists(unittest.TestCase):
    def test_they_are_lists_with_a_short_text(self):
        hosts = Hostlist("n[0-3],login,n1")
        self.assertEqual(list(hosts), ["n0", "n1", "n2", "n3", "login", "n1"])
        self.assertEqual(str(hosts), "n[0-3],login,n1")
        self.assertEqual((len(hosts), hosts[-1], "n2" in hosts), (6, "n1", True))
        self.assertEqual(str(hosts[1:3]), "n[1-2]")
        self.assertEqual(str(hosts[0, 4]), "n0,login")
        self.assertEqual(hosts.index("n3"), 3)
        self.assertEqual(hosts.index("n[1-2]"), [1, 2])
        with self.assertRaises(FileNotFoundError):
            hosts.index("n9")
        with self.assertRaises(IndexError):
            hosts[6]

    def test_they_change_in_place(self):
        hosts = Hostlist(["b2", "a10", "a9"])
        self.assertEqual(hosts.append("a9"), 1)
        self.assertEqual(hosts.delete("b2,c"), 1)
        self.assertEqual(str(hosts.copy().sort()), "a[9,9-10]")
        self.assertEqual(str(hosts.uniq()), "a[9-10]")
        self.assertEqual(hosts, Hostlist("a9,a10"))
        with self.assertRaises(ValueError):
            Hostlist("a[1-")
        with self.assertRaises(TypeError):
            Hostlist([1])


class IDsets(unittest.TestCase):
    def test_they_are_sets_with_a_short_text(self):
        ids = IDset("0-3,7")
        self.assertEqual(list(ids), [0, 1, 2, 3, 7])
        self.assertEqual((str(ids), ids.encode(2), ids.encode(6)), ("0-3,7", "[0,1,2,3,7]", "[0-3,7]"))
        self.assertEqual((ids.first(), ids.next(3), ids.last(), len(ids)), (0, 7, 7, 5))
        self.assertEqual((ids[-1], ids[1:3], 2 in ids, 5 in ids), (7, [1, 2], True, False))
        self.assertEqual(IDset([3, 1, 2]), IDset("1-3"))
        self.assertFalse(IDset())
        with self.assertRaises(ValueError):
            ids.next(7)
        with self.assertRaises(IndexError):
            ids[5]

    def test_they_are_added_and_subtracted(self):
        ids = IDset("0-9")
        self.assertEqual(str(ids.clear(0, 3).set(20)), "4-9,20")
        self.assertEqual(str(ids & "5-30"), "5-9,20")
        self.assertEqual(str(ids - [4, 20]), "5-9")
        self.assertEqual(str(ids | "1"), "1,4-9,20")
        self.assertTrue(ids.has_overlap("20"))
        ids.subtract(ids)
        self.assertEqual(str(ids), "")

    def test_what_is_none_is_refused(self):
        for wrong in ["1-", "2-1", [-1], [1 << 32]]:
            with self.subTest(wrong), self.assertRaises(ValueError):
                IDset(wrong)
        with self.assertRaises(TypeError):
            IDset(["a"])


R = {
    "version": 1,
    "execution": {
        "R_lite": [{"rank": "0-3", "children": {"core": "0-1", "gpu": "0"}}],
        "nodelist": ["n[0-3]"],
        "properties": {"big": "2-3"},
        "starttime": 0,
        "expiration": 0,
    },
}


class ResourceSets(unittest.TestCase):
    def test_they_are_counted(self):
        resources = ResourceSet(R)
        self.assertEqual((resources.nnodes, resources.ncores, resources.ngpus), (4, 8, 4))
        self.assertEqual(resources.dumps(), "rank[0-3]/core[0-1],gpu0")
        self.assertEqual((str(resources.nodelist), str(resources.ranks)), ("n[0-3]", "0-3"))
        self.assertEqual(resources.count("core"), 8)
        self.assertEqual((resources.host(2), resources.properties), ("n2", "big"))
        self.assertEqual(ResourceSet(resources.encode()), resources)
        self.assertEqual(ResourceSet().ncores, 0)

    def test_sets_are_made_of_sets(self):
        resources = ResourceSet(R)
        some = resources.copy_ranks("0-1")
        self.assertEqual((resources - some).dumps(), "rank[2-3]/core[0-1],gpu0")
        self.assertEqual((resources & some).nnodes, 2)
        self.assertEqual((some | resources.copy_ranks([3])).dumps(), "rank[0-1,3]/core[0-1],gpu0")
        self.assertEqual(resources.copy_constraint({"properties": ["big"]}).dumps()[:9], "rank[2-3]")
        self.assertEqual(str(resources.copy_constraint('{"hostlist":["n[1-2]"]}').ranks), "1-2")
        self.assertEqual(str(resources.copy().remove_ranks("0").ranks), "1-3")
        some.set_property("mine")
        self.assertEqual(json.loads(some.get_properties()), {"mine": "0-1"})

    def test_what_is_none_is_refused(self):
        for wrong in ["{}", "no json", {"version": 2}]:
            with self.subTest(wrong), self.assertRaises(ValueError):
                ResourceSet(wrong)
        with self.assertRaises(ValueError):
            ResourceSet(R).copy_constraint({"nope": []})


class Requires(ConstraintParser):
    operator_map = {None: "properties", "host": "hostlist", "rank": "ranks"}
    split_values = {"properties": ","}
    combined_terms = {"properties"}
    convert_values = {"number": lambda values: [int(value) for value in values]}


class Queries(unittest.TestCase):
    def test_they_become_constraints(self):
        query = "foo,bar&host:x[1-2]|-baz rank:0"
        self.assertEqual(
            Requires().parse(query),
            {
                "and": [
                    {
                        "or": [
                            {"and": [{"properties": ["foo", "bar"]}, {"hostlist": ["x[1-2]"]}]},
                            {"not": [{"properties": ["baz"]}]},
                        ]
                    },
                    {"ranks": ["0"]},
                ]
            },
        )
        self.assertEqual(Requires().parse("foo bar"), {"properties": ["foo", "bar"]})
        self.assertEqual(Requires().parse("number:7"), {"number": [7]})

    def test_a_mistake_is_a_sentence(self):
        for query, why in [
            ("(a", "Unclosed parenthesis in position 0"),
            ("a:", "Missing argument to token 'a:'"),
        ]:
            with self.subTest(query), self.assertRaisesRegex(ConstraintSyntaxError, why):
                Requires().parse(query)
        with self.assertRaisesRegex(ConstraintSyntaxError, "Missing required operator"):
            ConstraintParser().parse("a")


def run(module, *arguments):
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False
    )


class Commands(unittest.TestCase):
    def test_shapes_are_printed(self):
        shape = "node=2{x}/[slot=2{foo}/[core=2;gpu];slot{bar}/core]"
        ran = run("flux.shape.parser", shape)
        (node,) = json.loads(ran.stdout)
        self.assertEqual((node["count"], node["exclusive"]), (2, True))
        self.assertEqual([slot["label"] for slot in node["with"]], ["foo", "bar"])
        ran = run("flux.shape.parser", "-w", "-r", "-l", "mine", "slot=2-4:2:*/core")
        (slot,) = json.loads(ran.stdout)["resources"]
        self.assertEqual(slot["label"], "mine")
        self.assertEqual(slot["count"], {"min": 2, "max": 4, "operand": 2, "operator": "*"})
        ran = run("flux.shape.parser", "slot/")
        self.assertEqual((ran.returncode, ran.stderr), (1, "Unexpected end of input in 'slot/'\n"))

    def test_directives_are_printed(self):
        with tempfile.NamedTemporaryFile("w", suffix=".sh") as script:
            script.write("#!/bin/sh\n# flux: -n1 --job-name='a b'\n# flux: # nothing\n\ntrue\n")
            script.flush()
            ran = run("flux.job.directives", script.name)
            self.assertEqual(ran.stdout, "SETARGS(['-n1', '--job-name=a b'])\nNOOP([])\n")
            script.write("# flux: -n2\n")
            script.flush()
            ran = run("flux.job.directives", script.name)
            self.assertEqual(ran.returncode, 1)
            self.assertIn("line 6: orphan 'flux:' detected", ran.stderr)
        self.assertEqual(run("flux.job.directives").returncode, 2)

    def test_queries_are_printed(self):
        ran = run("flux.constraint.parser", "foo host:a")
        self.assertEqual(
            json.loads(ran.stdout), {"and": [{"properties": ["foo"]}, {"hostlist": ["a"]}]}
        )


class Thing:
    def __init__(self, name, size, share, when=0.0):
        self.name, self.size, self.share, self.when = name, size, share, when


class Formats(unittest.TestCase):
    headings = {"name": "NAME", "size": "SIZE", "share": "SHARE", "when": "WHEN"}

    def lines(self, text, *things):
        return OutputFormat(text, headings=self.headings).lines(things)

    def test_columns_are_padded_cut_dropped_and_widened(self):
        things = [Thing("a", 3, 0.5), Thing("a-long-name", 12, 1.0)]
        self.assertEqual(
            self.lines("{name:<6.6+}|{size:>5}|{share!P:>5}", *things),
            ["NAME  | SIZE|SHARE", "a     |    3|  50%", "a-lon+|   12| 100%"],
        )
        self.assertEqual(
            self.lines("{size} +:{name:<4}|?:{when!d:%Y::<5}|{share:.2f}", *things),
            ["SIZE NAME       |SHARE", "3 a          |0.50", "12 a-long-name|1.00"],
        )

    def test_what_is_empty_can_be_a_dash(self):
        self.assertEqual(self.lines("{name:>4h} {share!F:>5h}", Thing("", 0, 0.0))[1], "   -     -")
        self.assertEqual(self.lines("{size!H} {size!F}", Thing("", 3661, 0.0))[1], "1:01:01 1.017h")

    def test_items_are_sorted(self):
        things = [Thing("b", 1, 0), Thing("a", 2, 0), Thing("c", "", 0)]
        lines = self.lines("sort:-size,name {name}", *things)
        self.assertEqual(lines, ["NAME", "a", "b", "c"])

    def test_mistakes_are_refused(self):
        for text, why in [
            ("{nope}", "Unknown format field: nope"),
            ("{name!q}", "Unknown conversion specifier q"),
            ("{name:<<<}", "Invalid format specifier"),
        ]:
            with self.subTest(text), self.assertRaisesRegex(ValueError, why):
                self.lines(text)


class URIs(unittest.TestCase):
    def test_they_are_local_and_remote(self):
        uri = JobURI("ssh://host/a//b")
        self.assertEqual((str(uri), uri.local), ("ssh://host/a//b", "local:///a/b"))
        self.assertEqual(JobURI("local:///a", remote_hostname="h").remote, "ssh://h/a")
        with self.assertRaisesRegex(ValueError, "must have scheme local or ssh"):
            JobURI("pid:1")

    def test_resolvers_can_be_added(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "mine.py"), "w") as plugin:
                plugin.write(
                    "from flux.uri import URIResolverPlugin\n"
                    "class URIResolver(URIResolverPlugin):\n"
                    "    def describe(self):\n        return 'mine'\n"
                    "    def resolve(self, uri):\n        return f'ssh://host/{uri.path}'\n"
                )
            resolver = FluxURIResolver(pluginpath=[folder])
            self.assertEqual(resolver.plugins()["mine"], "mine")
            self.assertEqual(str(resolver.resolve("mine:x?local")), "local:///x")
        self.assertEqual(str(resolver.resolve("ssh://host/y")), "ssh://host/y")
        with self.assertRaisesRegex(NotImplementedError, "No plugin for URI scheme foo"):
            resolver.resolve("foo:1")


if __name__ == "__main__":
    unittest.main()
