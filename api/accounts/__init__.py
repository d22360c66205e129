"""Who are the staff, how do they sign in, and what was done with their accounts?

``tables`` says what is kept, ``staff`` what an account is, ``links`` and ``signing_in`` how
one comes in, ``sessions`` how long one stays, ``throttle`` how guessing is slowed down,
``security_log`` what is written down of it.
"""
