"""OpenAI for Ping-Pong; `plugin` declares it, `driver` makes it."""
