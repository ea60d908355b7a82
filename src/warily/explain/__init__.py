"""What a measured value means, and which input makes two of them differ."""
