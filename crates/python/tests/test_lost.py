"""A broker that goes away: a socket of our own, which hangs up."""

import asyncio
import errno
import os
import signal
import socket
import tempfile
import threading
import unittest

import flux


class Lost(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, "local")
        self.listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.listener.close)
        self.listener.bind(path)
        self.listener.listen()
        greeter = threading.Thread(target=self.greet)
        greeter.start()
        self.handle = flux.Flux("local://" + path)
        self.addCleanup(self.handle.close)
        greeter.join()

    def greet(self):
        """Lets one client in, and hangs up once it has sent something."""
        self.client, _ = self.listener.accept()
        self.addCleanup(self.client.close)
        self.client.sendall(b"\0")

    def hang_up(self):
        self.client.recv(1)
        self.client.close()

    def test_a_call_fails(self):
        call = self.handle.rpc("some.method")
        self.hang_up()
        with self.assertRaises(ConnectionResetError):
            call.get()
        with self.assertRaises(ConnectionResetError):
            self.handle.rpc("some.method").get()

    def test_a_look_at_a_call_finds_it_failed(self):
        call = self.handle.rpc("some.method")
        self.hang_up()
        self.assertTrue(call.is_ready())
        self.assertEqual(call.strerror(), os.strerror(errno.ECONNRESET))

    def test_callbacks_hear_of_it_and_the_reactor_ends(self):
        seen = []
        for _ in range(2):
            self.handle.rpc("some.method").then(lambda call: seen.append(call.error_string()))
        self.hang_up()
        self.assertEqual(self.handle.reactor_run(), 0)
        self.assertEqual(seen, [os.strerror(errno.ECONNRESET)] * 2)

    def test_a_reactor_with_watchers_raises(self):
        self.handle.msg_watcher_create(print).start()
        self.handle.rpc("some.method", flags=flux.constants.FLUX_RPC_NORESPONSE)
        self.hang_up()
        self.assertRaises(ConnectionResetError, self.handle.reactor_run)
        self.assertRaises(ConnectionResetError, self.handle.recv)

    def test_an_interrupt_ends_the_wait_for_an_attribute(self):
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        self.assertRaises(KeyboardInterrupt, self.handle.get_rank)

    def test_coroutines_hear_of_it(self):
        async def ask():
            call = self.handle.rpc("some.method")
            asyncio.get_running_loop().call_soon(self.hang_up)
            await call

        with self.assertRaises(ConnectionResetError):
            asyncio.run(ask())


if __name__ == "__main__":
    unittest.main()
