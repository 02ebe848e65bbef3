"""Truncators that come with Ping-Pong; `plugin` declares them."""
