"""What the service is put through before anybody relies on it; `docs/reliability.md` is written from the results."""
