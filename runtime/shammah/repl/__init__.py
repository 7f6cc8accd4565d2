"""The conversation at the keyboard: `shammah chat`.

`loop.py` tells its story. It opens nothing heavy: the prompt appears first, and `loading.py` opens the rooms behind it.
"""
