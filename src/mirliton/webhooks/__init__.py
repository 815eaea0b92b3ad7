"""Events by HTTP to the servers of an account."""
