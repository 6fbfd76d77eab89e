"""The options of the verbs: a dataclass for each verb, its fields the verb's options."""
