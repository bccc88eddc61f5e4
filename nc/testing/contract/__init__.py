"""What a network controller promises: operations, a model of them, and laws on their history."""
