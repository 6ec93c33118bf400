"""AWS's event formats: from a request to the event, and from a result to the response."""
