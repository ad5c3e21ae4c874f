"""The local web server behind `flowgauge serve`: measure an answer, watch a text being written.

    browser --security--> routes --jobs--> one worker thread --backend--> model, runs folder

One model, one thread that uses it, any number of readers. FastAPI and uvicorn (extra `web`) are
imported in this folder alone, and only by the files that need them.
"""
