"""What an image, a running guest, a kernel configuration or a command line still takes from the host."""
