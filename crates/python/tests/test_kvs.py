"""The key-value store."""

import errno
import unittest

import flux
import flux.kvs as kvs


class Case(unittest.TestCase):
    def setUp(self):
        self.handle = flux.Flux()
        self.addCleanup(self.handle.close)
        kvs.put_unlink(self.handle, "py")
        kvs.commit(self.handle)

    def put(self, **values):
        for name, value in values.items():
            kvs.put(self.handle, "py." + name, value)
        return kvs.commit(self.handle)


class Keys(Case):
    def test_values_are_what_json_can_hold(self):
        values = {"n": 17, "f": 1.5, "s": "ä", "l": [1, None], "o": {"a": True}}
        self.put(**values)
        for name, value in values.items():
            self.assertEqual(kvs.get(self.handle, "py." + name), value, name)
        self.put(long="x" * 100000)
        self.assertEqual(kvs.get(self.handle, "py.long"), "x" * 100000)

    def test_bytes_are_kept(self):
        self.put(raw=b"\xff\0", text=b"plain words", empty=b"")
        self.assertEqual(kvs.get(self.handle, "py.raw"), b"\xff\0")
        self.assertEqual(kvs.get(self.handle, "py.text"), "plain words")
        self.assertIsNone(kvs.get(self.handle, "py.empty"))
        self.assertEqual(kvs.get_key_raw(self.handle, "py.text"), b"plain words")

    def test_errors_are_those_of_files(self):
        self.put(**{"d.a": 1})
        with self.assertRaises(FileNotFoundError):
            kvs.get(self.handle, "py.none")
        with self.assertRaises(IsADirectoryError):
            kvs.get_key_direct(self.handle, "py.d")
        with self.assertRaises(NotADirectoryError):
            kvs.listdir(self.handle, "py.d.a")
        with self.assertRaises(OSError) as caught:
            kvs.get(self.handle, "a", namespace="nosuch")
        self.assertEqual(caught.exception.errno, errno.EOPNOTSUPP)
        self.assertRaises(TypeError, kvs.get, self.handle, 17)
        self.assertRaises(TypeError, kvs.put, self.handle, "py.x", object())

    def test_nothing_changes_before_the_commit(self):
        kvs.put(self.handle, "py.later", 1)
        self.assertFalse(kvs.exists(self.handle, "py.later"))
        kvs.commit_async(self.handle).get()
        self.assertTrue(kvs.exists(self.handle, "py.later"))

    def test_directories_links_and_removal(self):
        kvs.put_mkdir(self.handle, "py.empty")
        kvs.put_symlink(self.handle, "py.link", "py.target")
        kvs.put(self.handle, "py.target", "there")
        kvs.commit(self.handle)
        self.assertTrue(kvs.isdir(self.handle, "py.empty"))
        self.assertFalse(kvs.isdir(self.handle, "py.target"))
        self.assertFalse(kvs.isdir(self.handle, "py.none"))
        self.assertEqual(kvs.get(self.handle, "py.link"), "there")
        self.assertEqual(kvs.listdir(self.handle, "py"), ["empty", "link", "target"])
        kvs.put_unlink(self.handle, "py.target")
        kvs.commit(self.handle)
        self.assertRaises(FileNotFoundError, kvs.get, self.handle, "py.link")
        kvs.dropcache(self.handle)

    def test_a_transaction_of_ones_own(self):
        txn = kvs.KVSTxn().put("py.log", b"one ").put("py.log", b"two", append=True)
        version = txn.commit(self.handle)
        self.assertEqual(kvs.get(self.handle, "py.log"), "one two")
        self.assertEqual(txn.commit(self.handle), version + 1)

    def test_namespaces_are_apart(self):
        kvs.namespace_create(self.handle, "py-space")
        self.addCleanup(kvs.namespace_remove, self.handle, "py-space")
        self.assertIn("py-space", [row["namespace"] for row in kvs.namespace_list(self.handle)])
        kvs.put(self.handle, "a", 1)
        kvs.commit(self.handle, namespace="py-space")
        self.assertEqual(kvs.get(self.handle, "a", "py-space"), 1)
        self.assertFalse(kvs.exists(self.handle, "a"))
        with self.assertRaises(FileExistsError):
            kvs.namespace_create(self.handle, "py-space")


class Directories(Case):
    def test_a_directory_is_a_mapping(self):
        self.put(**{"a": 1, "d.b": 2})
        directory = kvs.get_dir(self.handle, "py")
        self.assertEqual(directory["a"], 1)
        self.assertEqual(directory["d"]["b"], 2)
        self.assertEqual(sorted(directory), ["a", "d"])
        self.assertEqual((directory.files(), directory.directories()), (["a"], ["d"]))
        self.assertEqual(directory.list_all(), (["a"], ["d"]))
        self.assertEqual(directory.key_at("x"), "py.x")
        self.assertEqual(len(directory), 2)
        self.assertRaises(KeyError, directory.__getitem__, "none")
        self.assertRaises(FileNotFoundError, kvs.KVSDir, self.handle, "py.none")

    def test_changes_below_are_one_step(self):
        self.put(**{"d.b": 2})
        directory = kvs.KVSDir(self.handle, "py")
        directory["new"] = "x"
        directory["d"]["c"] = 3
        del directory["d"]["b"]
        self.assertNotIn("new", directory)
        directory.commit()
        self.assertEqual((directory["new"], list(directory["d"])), ("x", ["c"]))
        directory.fill({"e.f": 1})
        directory.mkdir("g", {"h": 2})
        self.assertEqual((directory["e"]["f"], directory["g"]["h"]), (1, 2))

    def test_walk_visits_all_below(self):
        self.put(**{"a": 1, "d.b": 2, "d.e.c": 3})
        found = list(kvs.walk(kvs.get_dir(self.handle, "py"), topdown=True))
        self.assertEqual(found, [("py", ["d"], ["a"]), ("py.d", ["e"], ["b"]), ("py.d.e", [], ["c"])])
        upwards = list(kvs.walk("py", flux_handle=self.handle))
        self.assertEqual([path for path, _, _ in upwards], ["py.d.e", "py.d", "py"])

    def test_keys_are_joined(self):
        self.assertEqual(kvs.join("a", "", ".", "b.c"), "a.b.c")
        self.assertEqual(kvs.join("."), ".")


class Watching(Case):
    def test_each_change_is_a_value(self):
        watch = kvs.kvs_watch_async(self.handle, "py.w", waitcreate=True)
        for value in (1, {"two": 2}):
            self.put(w=value)
            self.assertEqual(watch.get(), value)
        watch.cancel()
        self.assertIsNone(watch.get())

    def test_changes_come_to_a_callback(self):
        self.put(w=0)
        seen = []

        def take(watch):
            value = watch.get()
            if value is not None:
                seen.append(value)
                if value == 2:
                    watch.cancel()
                else:
                    kvs.put(self.handle, "py.w", value + 1)
                    kvs.commit_async(self.handle)

        kvs.kvs_watch_async(self.handle, "py.w").then(take)
        self.assertEqual(self.handle.reactor_run(), 0)
        self.assertEqual(seen, [0, 1, 2])

    def test_a_key_that_is_not_there_ends_it(self):
        self.assertRaises(FileNotFoundError, kvs.kvs_watch_async(self.handle, "py.none").get)

    def test_the_same_value_is_left_out(self):
        self.put(w=1)
        watch = kvs.kvs_watch_async(self.handle, "py.w", uniq=True)
        self.assertEqual(watch.get(), 1)
        for value in (1, 2):
            self.put(w=value)
        self.assertEqual(watch.get(), 2)
        watch.cancel()


if __name__ == "__main__":
    unittest.main()
