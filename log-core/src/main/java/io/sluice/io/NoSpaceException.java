package io.sluice.io;

import java.io.IOException;

/**
 * A file could not be made or grow, since the disk or a quota is full. Nothing that was written before is in doubt; the same call
 * may succeed once space is free. A failed {@link StorageFile#sync} is never this.
 */
public final class NoSpaceException extends IOException {
    private static final long serialVersionUID = 1L;

    public NoSpaceException(String message) {
        super(message);
    }

    public NoSpaceException(String message, Throwable cause) {
        super(message, cause);
    }
}
