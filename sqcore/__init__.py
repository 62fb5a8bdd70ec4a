"""The ground floor of SQCore."""

import os

# Work is spread over processes; threads of the linear algebra would only take each other's cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
