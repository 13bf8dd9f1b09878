package io.sluice.engine;

import io.sluice.io.StorageFile;
import java.io.IOException;

/**
 * Local files for derived data that a restart makes anew: there are none when an engine is opened, and nothing is synced.
 * Thread-safe.
 */
public interface ScratchSpace {
    /**
     * Creates an empty file, replacing one of this name.
     *
     * @throws io.sluice.io.NoSpaceException if there is no space for it
     */
    StorageFile create(String name) throws IOException;

    /** Deletes a file; the caller has closed it. */
    void delete(String name) throws IOException;
}
