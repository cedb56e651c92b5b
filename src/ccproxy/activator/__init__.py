"""``ccproxy start``: socket activation without systemd, in one small process.

It binds the sockets, starts each process at its first connection with LISTEN_FDS as systemd does, and starts it again
when it has died. It never accepts a connection: what comes while a process is away waits in the socket.

* ``plan``   what to bind, made from the configuration
* ``ports``  bind it; ``holder`` says who has a port already
* ``unit``   PURE: when a process is started, started again, given up
* ``child``  fork, put the sockets at descriptor 3 and up, exec
* ``loop``   one selector over sockets, signals, notifications and the processes' standard error
* ``banner`` what somebody who has just started it wants to know

The process stays for months, so that it is to be small: no asyncio, and pydantic only in a child that reads the
configuration and goes.
"""
