"""What can be held to the laws: this package's server in process, or any that can be called."""
