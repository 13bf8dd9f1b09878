/** The embedded engine: segments and a write-ahead log in one data directory. */
@NullMarked
package io.sluice.engine.local;

import org.jspecify.annotations.NullMarked;
