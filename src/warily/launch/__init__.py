"""From a built image to a running virtual machine: a pure plan, and the runner that carries it out."""
