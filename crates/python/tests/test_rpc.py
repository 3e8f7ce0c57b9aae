"""Calls, streams and futures."""

import errno
import gc
import unittest

import flux
from flux.constants import FLUX_NODEID_ANY, FLUX_RPC_NORESPONSE, FLUX_RPC_STREAMING
from flux.future import Future, FutureExt, WaitAllFuture


class Calls(unittest.TestCase):
    def setUp(self):
        self.handle = flux.Flux()
        self.addCleanup(self.handle.close)

    def ping(self, seq):
        return self.handle.rpc("broker.ping", {"seq": seq})

    def test_the_answer_is_read_as_json_text_or_bytes(self):
        self.assertEqual(self.ping(3).get()["seq"], 3)
        self.assertIn('"seq"', self.ping(3).get_str())
        self.assertTrue(self.ping(3).get_raw().endswith(b"}\0"))
        self.assertEqual(self.handle.rpc("broker.ping", '{"seq": 4}').get()["seq"], 4)
        self.assertEqual(self.handle.rpc(b"broker.ping", {"seq": 5}, 0).get()["seq"], 5)

    def test_an_answer_without_payload_is_none(self):
        self.assertIsNone(self.handle.rpc("event.subscribe", {"topic": "py"}).get())

    def test_a_refusal_is_an_os_error_with_number_and_text(self):
        call = self.handle.rpc("attr.get", {"name": "no-such-attribute"})
        self.assertRaises(FileNotFoundError, call.get)
        self.assertRaises(FileNotFoundError, call.check)
        self.assertEqual(call.strerror(), "No such file or directory")
        with self.assertRaises(OSError) as caught:
            self.handle.rpc("nosuch.method").get()
        self.assertEqual(caught.exception.errno, errno.ENOSYS)
        self.assertIn("No service matching nosuch.method", str(caught.exception))

    def test_a_topic_is_text(self):
        with self.assertRaises(OSError) as caught:
            self.handle.rpc(None)
        self.assertEqual(caught.exception.errno, errno.EINVAL)
        self.assertRaises(TypeError, self.handle.rpc, 17)
        self.assertRaises(TypeError, self.handle.rpc, "broker.ping", {"seq": object()})

    def test_answers_are_waited_for_in_any_order(self):
        calls = [self.ping(seq) for seq in range(20)]
        for seq in reversed(range(20)):
            self.assertEqual(calls[seq].get()["seq"], seq)

    def test_a_call_without_answer_is_over_at_once(self):
        call = self.handle.rpc("broker.ping", {"seq": 1}, FLUX_NODEID_ANY, FLUX_RPC_NORESPONSE)
        self.assertTrue(call.is_ready())
        self.assertIsNone(call.get())

    def test_a_wait_ends_in_time(self):
        # The service is ours, and does not answer.
        self.handle.service_register("py-silent").get()
        call = self.handle.rpc("py-silent.ask")
        with self.assertRaises(TimeoutError) as caught:
            call.wait_for(0.01)
        self.assertEqual(caught.exception.errno, errno.ETIMEDOUT)
        self.assertFalse(call.is_ready())

    def test_a_future_that_nobody_holds_is_forgotten(self):
        self.handle.service_register("py-silent").get()
        call = self.handle.rpc("py-silent.ask")
        tag = call.matchtag
        self.assertIn(tag, self.handle._calls)
        del call
        gc.collect()
        self.assertNotIn(tag, self.handle._calls)
        self.assertEqual(self.ping(1).get()["seq"], 1)

    def test_then_calls_back_in_the_reactor(self):
        seen = []
        for seq in range(5):
            self.ping(seq).then(lambda future, *args, **kw: seen.append((future.get()["seq"], args, kw)), seq, k=1)
        self.assertEqual(self.handle.reactor_run(), 0)
        self.assertEqual(seen, [(seq, (seq,), {"k": 1}) for seq in range(5)])

    def test_then_for_a_result_that_is_there(self):
        seen = []
        call = self.ping(7)
        call.wait_for()
        call.then(lambda future: seen.append(future.get()["seq"]))
        self.assertEqual(seen, [])
        self.handle.reactor_run()
        self.assertEqual(seen, [7])
        with self.assertRaises(FileExistsError):
            call.then(print)

    def test_then_gives_up_in_time(self):
        self.handle.service_register("py-silent").get()
        seen = []
        self.handle.rpc("py-silent.ask").then(lambda future: seen.append(future.strerror()), timeout=0.01)
        # The request to our own service is refused, unless the time is over before.
        self.handle.reactor_run()
        self.assertEqual(len(seen), 1)

    def test_what_a_callback_raises_ends_the_reactor(self):
        def fail(future):
            raise KeyError("mine")

        self.ping(1).then(fail)
        self.assertRaises(KeyError, self.handle.reactor_run)
        self.assertEqual(self.ping(2).get()["seq"], 2)

    def test_a_wait_within_a_callback(self):
        seen = []

        def ask(future):
            seen.append(self.ping(future.get()["seq"] + 1).get()["seq"])

        self.ping(1).then(ask)
        self.handle.reactor_run()
        self.assertEqual(seen, [2])


class Streams(unittest.TestCase):
    """Streams of a service of ours: `py-count.up {"to": n}` answers with 1 to n."""

    def setUp(self):
        self.server = flux.Flux()
        self.handle = flux.Flux()
        self.addCleanup(self.server.close)
        self.addCleanup(self.handle.close)
        self.server.service_register("py-count").get()

    def serve(self, end=errno.ENODATA):
        request = self.server.recv()
        for n in range(request.payload["to"]):
            self.server.respond(request, {"n": n + 1})
        self.server.respond_error(request, end)

    def count(self, to):
        return self.handle.rpc("py-count.up", {"to": to}, flags=FLUX_RPC_STREAMING)

    def test_reset_makes_room_for_the_next_answer(self):
        call = self.count(3)
        self.serve()
        seen = []
        with self.assertRaises(OSError) as caught:
            while True:
                seen.append(call.get()["n"])
                self.assertEqual(call.get()["n"], seen[-1])
                call.reset()
        self.assertEqual(seen, [1, 2, 3])
        self.assertEqual(caught.exception.errno, errno.ENODATA)
        call.reset()
        self.assertRaises(OSError, call.get)

    def test_callbacks_come_once_for_each_answer(self):
        seen = []

        def take(future):
            try:
                seen.append(future.get()["n"])
                future.reset()
            except OSError as error:
                seen.append(error.errno)

        self.count(3).then(take)
        self.serve(errno.EIO)
        self.assertEqual(self.handle.reactor_run(), 0)
        self.assertEqual(seen, [1, 2, 3, errno.EIO])

    def test_answers_wait_until_the_callback_resets(self):
        seen = []
        call = self.count(3)
        call.then(lambda future: seen.append(future.get()["n"]))
        self.serve()
        self.handle.reactor_run()
        self.assertEqual(seen, [1])
        call.reset()
        self.handle.reactor_run()
        self.assertEqual(seen, [1, 2])

    def test_stop_ends_the_callbacks(self):
        seen = []
        call = self.count(3)

        def take(future):
            seen.append(future.get()["n"])
            future.stop()
            future.reset()

        call.then(take)
        self.serve()
        self.handle.reactor_run()
        self.assertEqual(seen, [1])

    def test_cancel_asks_the_service(self):
        call = self.count(1)
        request = self.server.recv()
        call.cancel()
        cancel = self.server.recv()
        self.assertEqual((cancel.topic, cancel.payload), ("py-count.cancel", {"matchtag": call.matchtag}))
        self.server.respond_error(request, errno.ECANCELED, "as you like")
        with self.assertRaisesRegex(OSError, "as you like"):
            call.get()


class Composites(unittest.TestCase):
    def setUp(self):
        self.handle = flux.Flux()
        self.addCleanup(self.handle.close)

    def pings(self):
        return [self.handle.rpc("broker.ping", {"seq": seq}) for seq in range(3)]

    def test_all_are_waited_for(self):
        every = WaitAllFuture(self.pings())
        every.push(self.handle.rpc("broker.ping", {"seq": 9}), "last")
        found = every.get()
        self.assertEqual(list(found), ["0", "1", "2", "last"])
        self.assertEqual(found["last"].get()["seq"], 9)

    def test_all_are_waited_for_in_the_reactor(self):
        seen = []
        WaitAllFuture(self.pings()).then(lambda future: seen.extend(future.get()))
        self.handle.reactor_run()
        self.assertEqual(seen, ["0", "1", "2"])

    def test_a_future_of_ones_own(self):
        def begin(future, seq):
            self.handle.rpc("broker.ping", {"seq": seq}).then(lambda call: future.fulfill(call.get()["seq"] * 2))

        self.assertEqual(FutureExt(begin, 21, flux_handle=self.handle).get(), 42)
        seen = []
        FutureExt(begin, 4, flux_handle=self.handle).then(lambda future: seen.append(future.get()))
        self.handle.reactor_run()
        self.assertEqual(seen, [8])

    def test_a_future_of_ones_own_can_fail(self):
        future = FutureExt()
        future.fulfill_error(errno.EBUSY, "not now")
        with self.assertRaisesRegex(OSError, "not now"):
            future.get()
        self.assertEqual(future.error_string(), "not now")

    def test_values_of_ones_own_wait_for_reset(self):
        future = FutureExt(flux_handle=self.handle)
        future.fulfill(1)
        future.fulfill(2)
        self.assertEqual(future.get(), 1)
        future.reset()
        self.assertEqual(future.get(), 2)
        self.assertFalse(Future().is_ready())


if __name__ == "__main__":
    unittest.main()
