"""A gRPC server that drives gRPC's completion queue itself, as `grpc._server` does.

`grpc.aio` makes 30 system calls for every unary call, where the queue below it makes 2 to 4, and it
reads a call's body before any code of its user runs. Here one thread waits for gRPC. It decides
about each call when its headers arrive, answers what can be answered at once, and hands the rest to
the event loop. Nothing in this package knows which services are served.

    server.py     the thread, the way to the event loop, a stop that lets calls under way finish
    port.py       one port: its calls under way, its gate, its limits
    needs.py      what a port needs of its gate and its server
    call.py       one call: what its headers say, one message in, one answer out
    stream.py     a call with several messages, as a coroutine of the event loop
    bodies.py     which calls may receive a message now, so that messages take bounded memory
    hang_up.py    ends a connection, for a gate that wants that
    held_back.py  which addresses come back too often after that
    held_refusals.py  refusals of calls that come while the server stops
    syn_filter.py the kernel's filter that drops most of their SYNs
    crowds.py     ends connections of parties that have most, once few more have room
    connections.py  finds this process's connections, and shuts them down
    floods.py     ends connections that bring much while memory grows
    limits.py     how many, how much, and how long
    messages.py   which calls wait for a message, and for how long
    stalls.py     which of them are too many of a party that sends few messages
    own_time.py   the time by which they wait, without the server's own delays
    deadlines.py  how long a message, or a reader of an answer, is waited for
    batches.py    starts operations until the queue ends
    binding.py    what is used of grpcio
    selftest.py   tries it at every start

What is used of grpcio is private (`grpc._cython.cygrpc`). This package relies on:

1.  `CompletionQueue.poll(deadline)` gives one event at a time, with the tag that the operation was
    started with. A timeout and a shutdown have the tag None; `completion_type` tells them apart.
2.  `Server.request_call(queue, queue, tag)` gives one event for one call, as soon as its headers
    are there; `success` is false when the server shuts down.
3.  `Call.start_server_batch(operations, tag)` may be called from any thread, gives one event, and
    keeps the call alive until then. A batch that it refuses (the result is not 0) gives no event.
4.  The event of a batch with `ReceiveCloseOnServerOperation` comes once the call has ended;
    `cancelled()` then says whether the caller has not had the answer.
5.  `ReceiveMessageOperation.message()` is None when the caller went away or sent no message.
6.  No body is taken from a call's stream beyond the flow-control window before
    `ReceiveMessageOperation` is started.
7.  `Server.shutdown(queue, tag)` refuses new calls and gives one event once all calls and
    connections are gone; `cancel_all_calls` ends both. A server that was not shut down, and a batch
    that is started after the queue has ended, abort the process.

The range of versions in pyproject.toml is the one that the tests ran with (`just test-grpcio`), and
`selftest.require_supported` tries all of the above but 6 at every start.
"""
