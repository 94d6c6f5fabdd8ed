"""Tools of MMOS: consultations, the synthesizer, the mediator, the interpreter, the user, and the user's own functions."""
