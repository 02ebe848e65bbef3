"""Validators that come with Ping-Pong; `plugin` declares them."""
