"""How good masks are, measured."""
