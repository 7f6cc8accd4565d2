"""The daemon: a model that stays warm, for commands on a unix socket and for programs on a loopback port."""
