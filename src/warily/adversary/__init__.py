"""The laboratory: published attacks of a hostile host, mounted on a control and on the user's own image."""
