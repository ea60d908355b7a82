"""What tables and bytecode from the host can reach."""
