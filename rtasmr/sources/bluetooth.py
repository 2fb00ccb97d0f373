"""What goes wrong with Bluetooth LE, and what to do about it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakCharacteristicNotFoundError,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
)

from rtasmr.sources.device import (
    DeviceBusyError,
    DeviceDataError,
    DeviceError,
    DeviceLostError,
    DeviceMissingError,
    DevicePermissionError,
)


@contextlib.contextmanager
def bluetooth_errors(what: str) -> Iterator[None]:
    """Turn what goes wrong inside into a `DeviceError`.

    Parameters
    ----------
    what : str
        Which device, for the message.
    """
    try:
        yield
    except DeviceError:
        raise
    except BleakBluetoothNotAvailableError as error:
        raise _unavailable(error.reason) from error
    except BleakDeviceNotFoundError as error:
        raise DeviceMissingError(f"{what} is out of reach. Switch it on and bring it near.") from error
    except BleakCharacteristicNotFoundError as error:
        raise DeviceDataError(f"{what} lacks a service that it should have. Update its firmware.") from error
    except BleakDBusError as error:
        raise _bluez_error(what, error) from error
    except BleakError as error:
        raise DeviceLostError(f"{what}: {_line(error)}. Bring it near, and close Polar's app.") from error
    except TimeoutError as error:
        raise DeviceMissingError(f"{what} does not answer. Bring it near, or restart it.") from error
    except (OSError, EOFError) as error:
        raise DeviceMissingError(
            f"{what} needs Bluetooth, which does not answer on this machine ({_reason(error)}). Plug in an "
            "adapter if there is none; on Linux install BlueZ and start it: sudo systemctl start bluetooth"
        ) from error


def _unavailable(reason: BleakBluetoothNotAvailableReason) -> DeviceError:
    reasons = BleakBluetoothNotAvailableReason
    if reason in (reasons.DENIED_BY_USER, reasons.DENIED_BY_SYSTEM, reasons.DENIED_BY_UNKNOWN):
        return DevicePermissionError("no permission to use Bluetooth. Allow it in the system's settings.")
    if reason is reasons.POWERED_OFF:
        return DeviceMissingError("Bluetooth is switched off. Switch it on.")
    return DeviceMissingError("this machine has no Bluetooth LE. Plug an adapter in.")


def _bluez_error(what: str, error: BleakDBusError) -> DeviceError:
    name = error.dbus_error
    if name.endswith(("AccessDenied", "NotAuthorized", "NotPermitted")):
        return DevicePermissionError(
            "no permission to use Bluetooth. Run 'sudo usermod -a -G bluetooth $USER' and log in again."
        )
    if name.endswith(("ServiceUnknown", "NameHasNoOwner")):
        return DeviceMissingError("BlueZ does not run. Start it: sudo systemctl start bluetooth")
    if name.endswith("NotReady"):
        return DeviceMissingError("Bluetooth is switched off. Switch it on: bluetoothctl power on")
    if name.endswith("InProgress"):
        return DeviceBusyError("another program searches over Bluetooth. Wait for it, or close it.")
    return _lost(what, error)


def _lost(what: str, error: BleakError) -> DeviceLostError:
    return DeviceLostError(f"{what}: {_line(error)}. Bring it near, and close the maker's app.")


def _reason(error: OSError | EOFError) -> str:
    return (isinstance(error, OSError) and error.strerror) or _line(error)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
