"""What does a project cycle come to, replayed from the log: target, actual, points?"""
