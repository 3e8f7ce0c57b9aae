"""The handle: opening, attributes, configuration, log, errors."""

import errno
import os
import syslog
import threading
import unittest

import flux
from flux.constants import FLUX_POLLIN, FLUX_POLLOUT
from flux.future import FutureExt


class Opening(unittest.TestCase):
    def test_a_handle_is_closed_at_the_end_of_with(self):
        with flux.Flux() as handle:
            self.assertEqual(handle.get_rank(), 0)
        with self.assertRaisesRegex(ValueError, "closed"):
            handle.rpc("broker.ping")
        handle.close()

    def test_no_broker_is_file_not_found_with_a_hint(self):
        os.environ["FLUX_LOCAL_CONNECTOR_RETRY_COUNT"] = "0"
        self.addCleanup(os.environ.pop, "FLUX_LOCAL_CONNECTOR_RETRY_COUNT")
        with self.assertRaises(FileNotFoundError) as caught:
            flux.Flux("local:///nowhere/socket")
        self.assertIn("broker socket /nowhere/socket was not found", caught.exception.strerror)
        self.assertIn("flux start", caught.exception.strerror)

    def test_a_uri_may_be_given(self):
        with flux.Flux(os.environ["FLUX_URI"]) as handle:
            self.assertEqual(handle.attr_get("rank"), "0")
        with flux.Flux("/") as handle:
            self.assertEqual(handle.attr_get("instance-level"), "0")

    def test_what_is_not_supported_is_refused(self):
        with self.assertRaisesRegex(OSError, "without flags"):
            flux.Flux(flags=flux.constants.FLUX_O_CLONE)
        with flux.Flux() as handle:
            with self.assertRaisesRegex(OSError, "futures take answers"):
                handle.recv(flux.constants.FLUX_MSGTYPE_RESPONSE)
            with self.assertRaisesRegex(OSError, "futures take answers"):
                handle.msg_watcher_create(print, flux.constants.FLUX_MSGTYPE_RESPONSE)
            with self.assertRaises(BlockingIOError):
                handle.recv(flags=flux.constants.FLUX_O_NONBLOCK)

    def test_another_thread_hears_that_the_handle_is_in_use(self):
        with flux.Flux() as handle, flux.Flux() as other:
            handle.service_register("py-busy").get()
            said = []

            def ask():
                while not said:
                    try:
                        handle.rpc("broker.ping", {"seq": 1}).get()
                    except RuntimeError as error:
                        said.append(str(error))
                other.rpc("py-busy.end", flags=flux.constants.FLUX_RPC_NORESPONSE)

            asker = threading.Thread(target=ask)
            asker.start()
            request = None
            while request is None:
                try:
                    request = handle.recv()
                except RuntimeError as error:
                    # It was the other thread's turn: we are the one that hears of it.
                    said.append(str(error))
            asker.join()
            self.assertIn("another thread waits on this handle", said[0])

    def test_a_child_of_fork_is_told_to_open_its_own(self):
        handle = flux.Flux()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                handle.rpc("broker.ping")
            except RuntimeError as error:
                with flux.Flux() as own:
                    code = 0 if "fork" in str(error) and own.get_rank() == 0 else 2
            finally:
                del handle
                os._exit(code)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
        self.assertEqual(handle.get_rank(), 0)
        handle.close()


class Talking(unittest.TestCase):
    def setUp(self):
        self.handle = flux.Flux()
        self.addCleanup(self.handle.close)

    def test_attributes_are_read_set_and_removed(self):
        self.assertEqual(self.handle.get_size(), int(self.handle.attr_get("size")))
        self.handle.attr_set("test.py", "7")
        self.assertEqual(self.handle.attr_get("test.py"), "7")
        self.handle.attr_remove("test.py")
        with self.assertRaises(FileNotFoundError):
            self.handle.attr_get("test.py")
        with self.assertRaises(PermissionError):
            self.handle.attr_remove("rank")
        with self.assertRaises(ValueError):
            self.handle.attr_set("test.py", 7)

    def test_the_parent_of_a_remote_instance_is_remote(self):
        os.environ["FLUX_PROXY_REMOTE"] = "there"
        self.addCleanup(os.environ.pop, "FLUX_PROXY_REMOTE")
        told = FutureExt()
        told.fulfill({"value": "local:///run/local", "flags": 1})
        self.handle.rpc = lambda topic, request: told
        self.assertEqual(self.handle.attr_get("parent-uri"), "ssh://there/run/local")

    def test_the_configuration_is_read_by_dotted_names(self):
        self.handle.rpc("config.load", {"py": {"a": {"b": 1}}}).get()
        self.addCleanup(lambda: self.handle.rpc("config.reload"))
        self.assertEqual(self.handle.conf_get("py.a.b", update=True), 1)
        self.assertEqual(self.handle.conf_get("py.a"), {"b": 1})
        self.assertEqual(self.handle.conf_get("py.c.d", default="none"), "none")
        self.assertIsNone(self.handle.conf_get("py.a.b.c"))
        self.assertIn("py", self.handle.conf_get())

    def test_log_lines_reach_the_broker(self):
        self.handle.log_set_appname("py-test")
        self.handle.log(syslog.LOG_ERR, "one\ntwo")
        self.handle._core.flush()
        dmesg = self.handle.rpc("log.dmesg", {"follow": False}, flags=flux.constants.FLUX_RPC_STREAMING)
        lines = []
        with self.assertRaises(OSError) as caught:
            while True:
                lines.append(dmesg.get_str())
                dmesg.reset()
        self.assertEqual(caught.exception.errno, errno.ENODATA)
        ours = [line for line in lines if "py-test" in line]
        self.assertEqual([line.rsplit(" ", 1)[1] for line in ours[-2:]], ["one", "two"])
        with self.assertRaises(ValueError):
            self.handle.log(8, "too much")

    def test_the_descriptor_tells_of_what_has_come(self):
        self.assertEqual(self.handle.pollevents(), FLUX_POLLOUT)
        call = self.handle.rpc("broker.ping", {"seq": 1})
        call.wait_for()
        self.handle.event_subscribe("py-poll")
        self.handle.rpc("event.publish", {"topic": "py-poll", "flags": 0}, nodeid=0).get()
        self.assertEqual(self.handle.pollevents(), FLUX_POLLIN | FLUX_POLLOUT)
        self.assertEqual(self.handle.event_recv().topic, "py-poll")

    def test_reconnect_renews_subscriptions(self):
        self.handle.event_subscribe("py-again")
        self.handle.reconnect()
        self.handle.event_send("py-again", {"n": 1})
        self.assertEqual(self.handle.event_recv("py-*").payload, {"n": 1})
        self.handle.event_unsubscribe("py-again")


if __name__ == "__main__":
    unittest.main()
