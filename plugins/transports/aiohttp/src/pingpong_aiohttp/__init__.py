"""The fast transport, over aiohttp."""
