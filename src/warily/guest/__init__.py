"""What runs inside the virtual machine. Standard library and `cryptography` only."""
