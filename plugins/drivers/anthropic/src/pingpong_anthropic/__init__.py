"""Ping-Pong's driver for Anthropic: the Messages API and its token counting."""
