"""All hosts behind one `ask`."""
