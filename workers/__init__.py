"""Which processes and jobs keep the read models and reports up to date?"""
