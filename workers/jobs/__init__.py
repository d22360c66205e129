"""What do the workers do? One module a kind of job."""
