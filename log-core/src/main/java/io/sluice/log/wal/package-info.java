/** The write-ahead log: one synced file per data directory for the group commits of all partitions. */
@NullMarked
package io.sluice.log.wal;

import org.jspecify.annotations.NullMarked;
