"""The command line, one module a verb: parse arguments, call one function, render the result."""
