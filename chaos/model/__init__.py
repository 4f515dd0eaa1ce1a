"""What faults do to connections, whoever carries them: a relay, the simulated network, a daemon.

Here are decisions and times only. What carries gives bytes and the time, has a timer, and does as it is told.
"""
