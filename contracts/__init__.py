"""What the services may know about each other: ids, the envelope, events, topics, the codec.

Owns: every name and byte format that crosses a service's edge. Must not: import anything but the standard library and pydantic.
(`client`, for publishers, stands beside the rest: the standard library and httpx, and nothing of ours.)
Read `topics.py` first; it is the map of the system.
"""
