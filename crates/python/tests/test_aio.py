"""Futures, streams and events in coroutines."""

import asyncio
import errno
import unittest

import flux
import flux.kvs as kvs
from flux.constants import FLUX_MSGTYPE_REQUEST, FLUX_RPC_STREAMING
from flux.future import WaitAllFuture


class Coroutines(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.handle = flux.Flux()
        self.addCleanup(self.handle.close)

    def ping(self, seq):
        return self.handle.rpc("broker.ping", {"seq": seq})

    async def test_a_future_can_be_awaited(self):
        self.assertEqual((await self.ping(1))["seq"], 1)
        with self.assertRaises(FileNotFoundError):
            await self.handle.rpc("attr.get", {"name": "no-such-attribute"})

    async def test_many_wait_at_once(self):
        async def one(seq):
            return (await self.ping(seq))["seq"]

        found = await asyncio.gather(*(one(seq) for seq in range(100)))
        self.assertEqual(found, list(range(100)))
        every = await WaitAllFuture([self.ping(1), self.ping(2)])
        self.assertEqual(list(every), ["0", "1"])

    async def test_what_is_too_large_for_the_socket_is_sent_in_the_end(self):
        big = ["x" * 1_000_000 for _ in range(3)]
        calls = [self.handle.rpc("broker.ping", {"seq": n, "pad": text}) for n, text in enumerate(big)]
        for n, call in enumerate(calls):
            self.assertEqual((await call)["seq"], n)

    async def test_a_wait_can_be_cancelled(self):
        self.handle.service_register("py-aio").get()
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(self.handle.rpc("kvs.wait-version", {"namespace": "primary", "rootseq": 1 << 40}), 0.01)
        self.assertEqual((await self.ping(2))["seq"], 2)

    async def test_callbacks_are_called_by_the_loop(self):
        done = asyncio.get_running_loop().create_future()
        self.ping(5).then(lambda call: done.set_result(call.get()["seq"]))
        await self.ping(6)
        self.assertEqual(await done, 5)

    async def test_what_a_blocking_call_has_read_is_not_lost(self):
        first = self.ping(1)
        self.ping(2).get()
        self.assertEqual((await first)["seq"], 1)

    async def test_a_stream_is_an_asynchronous_iterator(self):
        with flux.Flux() as server:
            server.service_register("py-aio-count").get()
            stream = self.handle.rpc("py-aio-count.up", {"to": 3}, flags=FLUX_RPC_STREAMING)
            request = server.recv(FLUX_MSGTYPE_REQUEST)
            for n in range(3):
                server.respond(request, {"n": n})
            server.respond_error(request, errno.ENODATA)
            self.assertEqual([answer["n"] async for answer in stream], [0, 1, 2])

    async def test_a_watched_key_is_one_too(self):
        def put(value):
            kvs.put(self.handle, "py-aio", value)
            return kvs.commit_async(self.handle)

        await put(0)
        watch = kvs.kvs_watch_async(self.handle, "py-aio")
        seen = []
        async for value in watch:
            seen.append(value)
            if value == 2:
                watch.cancel()
            else:
                await put(value + 1)
        self.assertEqual(seen, [0, 1, 2])

    async def test_events_are_one_too(self):
        seen = []
        async with self.handle.events("py-aio") as events:
            for n in range(3):
                self.handle.event_send("py-aio.tick", {"n": n})
            self.handle.event_send("py-aio.end")
            async for event in events:
                if event.topic == "py-aio.end":
                    break
                seen.append(event.payload["n"])
        self.assertEqual(seen, [0, 1, 2])

    async def test_what_a_callback_raises_holds_nobody_up(self):
        raised = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context["exception"]))
        done = asyncio.get_running_loop().create_future()
        self.ping(1).then(lambda call: 1 / 0)
        self.ping(2).then(lambda call: done.set_result(call.get()["seq"]))
        self.assertEqual(await done, 2)
        self.assertIsInstance(raised[0], ZeroDivisionError)

    async def test_a_lost_connection_ends_events(self):
        with self.assertRaises(OSError):
            async with self.handle.events("py-aio") as events:
                events.fail(OSError(errno.ECONNRESET, "gone"))
                async for _ in events:
                    self.fail("an event")


class Loops(unittest.TestCase):
    def test_a_handle_outlives_a_loop(self):
        async def ask(handle):
            return (await handle.rpc("broker.ping", {"seq": 1}))["seq"]

        with flux.Flux() as handle:
            self.assertEqual([asyncio.run(ask(handle)) for _ in range(3)], [1, 1, 1])
            self.assertEqual(handle.rpc("broker.ping", {"seq": 2}).get()["seq"], 2)


if __name__ == "__main__":
    unittest.main()
