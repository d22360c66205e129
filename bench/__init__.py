"""How fast is the ledger, beside what one would otherwise use, in one and the same run?"""
