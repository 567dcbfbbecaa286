"""Attacks on the service, by subject: each is bounded in time and bytes, and ends its own connections and processes."""
