from rtasmr.tables import Session as Session
from rtasmr.tables import load_session as load_session

__version__: str
