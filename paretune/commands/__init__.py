"""The verbs as commands: parse what is typed, carry out, print."""
