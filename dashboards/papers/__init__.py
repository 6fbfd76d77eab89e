"""The page of a paper's study: tables with the published figures, verdicts, and the paper's figures."""
