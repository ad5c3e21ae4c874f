"""Does a trained member of the family give back the vector autoregression that made its data?"""
