"""`mmos chat`: the conversation that people have open all day."""
