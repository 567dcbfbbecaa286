"""Whose a request is: the entry says so in a parameter, which clients cannot send."""

OWNER = "mvsam_owner"
