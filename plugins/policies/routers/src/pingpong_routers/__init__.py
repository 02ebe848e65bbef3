"""Routers and fusers that come with Ping-Pong; `plugin` declares them."""
